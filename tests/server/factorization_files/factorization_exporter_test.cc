// Factorizations as files, and back.
#include "server/factorization_files/factorization_exporter.h"

#include <string>
#include <variant>
#include <vector>

#include "lib/tensor_io/pytorch_file.h"
#include "tests/server/factorization_files/factorization_files_test.h"

namespace superpose {
namespace {

using testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kReference = v1::FACTORIZATION_FILE_FORMAT_REFERENCE;
constexpr auto kOwn = v1::FACTORIZATION_FILE_FORMAT_SAFETENSORS;

// What lies at the top of a PyTorch file under this name.
const PickleDict& DictIn(const PickleDocument& document, const std::string& name) {
  return *std::get<const PickleDict*>(*std::get<const PickleDict*>(document.root())->Find(name));
}

std::vector<std::string> KeysOf(const PickleDict& dict) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : dict.items) keys.push_back(std::get<std::string>(key));
  return keys;
}

class FactorizationExporterTest : public FactorizationFilesTest {
 protected:
  PickleDocument ReadReference(const std::string& content) const {
    WriteFile(parent_ / "read.pt", content);
    auto document = ReadPytorchFile(parent_ / "read.pt");
    EXPECT_OK(document);
    return *std::move(document);
  }
  // The one that a file of this one is when it is imported.
  v1::Factorization ThereAndBack(const v1::Factorization& factorization, v1::FactorizationFileFormat format) {
    const auto file = Export(factorization.name(), format);
    EXPECT_OK(file);
    const auto imported = Import(file.value_or(""));
    EXPECT_OK(imported);
    return imported.ok() ? *imported : v1::Factorization();
  }
};

TEST_F(FactorizationExporterTest, TheReferencesFileHasItsNamesAndShapes) {
  const v1::Factorization kept = Keep(MakeWholeFactorization());
  ASSERT_OK_AND_ASSIGN(const std::string content, Export(kept.name(), kReference));
  const PickleDocument document = ReadReference(content);
  EXPECT_THAT(KeysOf(*std::get<const PickleDict*>(document.root())), ElementsAre("weights", "config"));
  const PickleDict& weights = DictIn(document, "weights");
  EXPECT_THAT(KeysOf(weights), ElementsAre("factors"));
  EXPECT_TRUE(
      at::equal(std::get<at::Tensor>(*weights.Find("factors")), MakeWholeFactorization().tensors.at("parameter")))
      << "the reference scales them itself";
  const PickleDict& config = DictIn(document, "config");
  EXPECT_THAT(KeysOf(config),
              ElementsAre("factors", "theta", "factor_param", "epochs", "batch_size", "lr", "weight_decay", "seed"));
  EXPECT_EQ(std::get<int64_t>(*config.Find("factors")), 4);
  EXPECT_EQ(std::get<double>(*config.Find("theta")), 0.25);
  EXPECT_EQ(std::get<double>(*config.Find("factor_param")), 0.5);
  EXPECT_EQ(std::get<int64_t>(*config.Find("epochs")), 3);
  EXPECT_EQ(std::get<int64_t>(*config.Find("batch_size")), 2);
  EXPECT_EQ(std::get<double>(*config.Find("lr")), 0.125);
  EXPECT_EQ(std::get<int64_t>(*config.Find("seed")), 7);
}

TEST_F(FactorizationExporterTest, OfOneThatWasImportedOnlyTheNumberOfFactorsIsKnown) {
  ASSERT_OK_AND_ASSIGN(const v1::Factorization imported,
                       Import(FileContent(SUPERPOSE_TEST_DATA "/factorization/reference.pt")));
  ASSERT_OK_AND_ASSIGN(const std::string content, Export(imported.name(), kReference));
  const PickleDocument document = ReadReference(content);
  EXPECT_THAT(KeysOf(DictIn(document, "config")), ElementsAre("factors"));
  EXPECT_EQ(std::get<int64_t>(*DictIn(document, "config").Find("factors")), 8);
}

TEST_F(FactorizationExporterTest, TheReferencesFormKeepsTheFactors) {
  const WholeFactorization whole = MakeWholeFactorization();
  const v1::Factorization back = ThereAndBack(Keep(whole), kReference);
  ExpectEqual(TensorsOf(back),
              {{"factors", whole.tensors.at("factors")}, {"parameter", whole.tensors.at("parameter")}});
  const v1::Factorization again = ThereAndBack(back, kReference);
  EXPECT_EQ(again.content_hash(), back.content_hash());
}

TEST_F(FactorizationExporterTest, OurOwnFormKeepsAll) {
  const v1::Factorization kept = Keep(MakeWholeFactorization());
  const v1::Factorization back = ThereAndBack(kept, kOwn);
  ExpectEqual(TensorsOf(back), MakeWholeFactorization().tensors);
  EXPECT_EQ(back.spec().DebugString(), kept.spec().DebugString());
  EXPECT_EQ(back.quality().DebugString(), kept.quality().DebugString());
  EXPECT_EQ(back.content_hash(), kept.content_hash());
}

TEST_F(FactorizationExporterTest, OurOwnFormIsWrittenWhereNoneIsNamed) {
  const v1::Factorization kept = Keep(MakeWholeFactorization());
  ASSERT_OK_AND_ASSIGN(const std::string own, Export(kept.name(), kOwn));
  ASSERT_OK_AND_ASSIGN(const std::string unnamed, Export(kept.name(), v1::FACTORIZATION_FILE_FORMAT_UNSPECIFIED));
  EXPECT_TRUE(own == unnamed);
  EXPECT_TRUE(own == FileContent(folder_->FolderOf(kept.name()) + "/factorization.safetensors"));
}

TEST_F(FactorizationExporterTest, TheSameExportGivesTheSameBytesAndLeavesNothing) {
  const v1::Factorization kept = Keep(MakeWholeFactorization());
  ASSERT_OK_AND_ASSIGN(const std::string first, Export(kept.name(), kReference));
  ASSERT_OK_AND_ASSIGN(const std::string second, Export(kept.name(), kReference));
  EXPECT_TRUE(first == second);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(parent_ / "data")) {
    EXPECT_THAT(entry.path().extension().string(), testing::AnyOf("", ".db", ".db-wal", ".db-shm", ".safetensors"))
        << entry.path();
  }
}

TEST_F(FactorizationExporterTest, WhatIsNotThereIsNotExported) {
  for (const auto format : {kReference, kOwn}) {
    EXPECT_THAT(Export("factorizations/none", format),
                IsError(absl::StatusCode::kNotFound, reason::kFactorizationNotFound));
    EXPECT_THAT(Export("none", format), IsError(kInvalid, reason::kNameInvalid));
  }
  const auto unknown = Export(Keep(MakeWholeFactorization()).name(), static_cast<v1::FactorizationFileFormat>(77));
  EXPECT_THAT(unknown, IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(unknown, MessageHas("format"));
}

}  // namespace
}  // namespace superpose
