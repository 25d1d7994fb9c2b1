// Uploaded files as factorizations. Fixtures: tests/data/factorization/make_fixtures.py.
#include "server/factorization_files/factorization_importer.h"

#include <google/protobuf/util/message_differencer.h>

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/tensor_io/pytorch_writer.h"
#include "tests/server/factorization_files/factorization_files_test.h"

namespace superpose {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

auto Refused(absl::StatusCode code, absl::string_view why, const std::string& text) {
  return testing::AllOf(IsError(code, why), MessageHas(text));
}

class FactorizationImporterTest : public FactorizationFilesTest {
 protected:
  static std::string Fixture(const std::string& name) {
    return FileContent(absl::StrCat(SUPERPOSE_TEST_DATA "/factorization/", name));
  }
  // What torch.save makes of such weights.
  std::string Reference(const NamedTensors& weights) const {
    EXPECT_OK(WritePytorchFile(parent_ / "made.pt", {{"weights", weights}, {"config", PlainDict()}}));
    return FileContent(parent_ / "made.pt");
  }
  // A file of our own form, with these tensors and metadata.
  std::string Safetensors(const TensorMap& tensors, const StringMap& metadata) const {
    EXPECT_OK(WriteSafetensors(parent_ / "made.safetensors", tensors, metadata));
    return FileContent(parent_ / "made.safetensors");
  }
  StringMap MetadataOfWhole() { return factorizations_->Open(Keep(MakeWholeFactorization()).name())->metadata(); }
  std::string OwnForm() { return Safetensors(MakeWholeFactorization().tensors, MetadataOfWhole()); }

  // And nothing is kept but the upload, for another try.
  void ExpectRefused(const std::string& content, absl::StatusCode code, absl::string_view why,
                     const std::string& text) {
    const size_t before = Kept();
    EXPECT_THAT(Import(content), Refused(code, why, text));
    EXPECT_EQ(Kept(), before);
    EXPECT_TRUE(HasUploads());
  }
};

TEST_F(FactorizationImporterTest, TheReferencesFilesAreFactors) {
  const at::Tensor parameter = at::arange(1, 49, at::kFloat).reshape({8, 6});
  for (const char* name : {"reference.pt", "topk.pt"}) {
    ASSERT_OK_AND_ASSIGN(const v1::Factorization imported, Import(Fixture(name)));
    EXPECT_EQ(imported.factors(), 8);
    EXPECT_EQ(imported.width(), 6);
    EXPECT_EQ(imported.imported_from(), "reference .pt");
    EXPECT_EQ(imported.owner(), "bob");
    EXPECT_FALSE(imported.has_spec() || imported.has_quality());
    const TensorMap tensors = TensorsOf(imported);
    EXPECT_EQ(tensors.size(), 2U);
    EXPECT_TRUE(at::equal(tensors.at("parameter"), parameter));
    EXPECT_TRUE(at::allclose(tensors.at("factors").norm(2, at::IntArrayRef{1}), at::ones({8}), 0, 1e-6));
    const at::Tensor lengths = parameter.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
    EXPECT_TRUE(at::allclose(tensors.at("factors") * lengths, parameter, 1e-6, 0));
    EXPECT_FALSE(HasUploads());
  }
}

TEST_F(FactorizationImporterTest, OurOwnFormComesBackWithAllThatItHeld) {
  const WholeFactorization whole = MakeWholeFactorization();
  const v1::Factorization first = Keep(whole);
  ASSERT_OK_AND_ASSIGN(v1::Factorization again, Import(Safetensors(whole.tensors, MetadataOfWhole())));
  ExpectEqual(TensorsOf(again), whole.tensors);
  EXPECT_NE(again.name(), first.name());
  EXPECT_EQ(again.owner(), "bob");
  EXPECT_EQ(again.job(), "") << "no job made it";
  EXPECT_EQ(again.imported_from(), "safetensors");
  EXPECT_EQ(again.content_hash(), first.content_hash());
  again.set_name(first.name());
  again.set_owner(first.owner());
  again.set_job(first.job());
  again.clear_imported_from();
  *again.mutable_create_time() = first.create_time();
  EXPECT_TRUE(MessageDifferencer::Equals(again, first)) << again.DebugString();
}

TEST_F(FactorizationImporterTest, OfOurOwnFormFactorsAreEnough) {
  WholeFactorization bare = MakeWholeFactorization();
  bare.tensors = {{"factors", bare.tensors.at("factors")}, {"parameter", bare.tensors.at("parameter")}};
  const v1::Factorization kept = Keep(bare);
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, factorizations_->Open(kept.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Factorization imported, Import(Safetensors(bare.tensors, file.metadata())));
  ExpectEqual(TensorsOf(imported), bare.tensors);
  EXPECT_EQ(imported.content_hash(), kept.content_hash());
  EXPECT_EQ(imported.decoders(), 5) << "it was fitted on them, though they do not come along";
}

TEST_F(FactorizationImporterTest, LabelsOfTheRequestGoBeforeThoseOfTheFile) {
  const auto imported = Import(OwnForm(), [](v1::ImportFactorizationRequest* request) {
    (*request->mutable_labels())["of"] = "another";
    (*request->mutable_labels())["from"] = "a file";
  });
  ASSERT_OK(imported);
  EXPECT_EQ(imported->labels().at("of"), "another");
  EXPECT_EQ(imported->labels().at("from"), "a file");
  const auto too_long = Import(OwnForm(), [](v1::ImportFactorizationRequest* request) {
    (*request->mutable_labels())["x"] = std::string(8192, 'x');
  });
  EXPECT_THAT(too_long, Refused(kInvalid, reason::kConfigInvalid, "at most 64 with 8192 bytes"));
}

TEST_F(FactorizationImporterTest, NothingInAHostileFileRuns) {
  EXPECT_OK(Import(Fixture("hostile_config.pt"))) << "its factors are sound, and nobody looks at the config";
  ExpectRefused(Fixture("hostile_weights.pt"), kInvalid, reason::kFileUnsupported, "mapping of names to tensors");
  EXPECT_FALSE(std::filesystem::exists("superpose_was_here"));
}

TEST_F(FactorizationImporterTest, FilesThatAreCutShortAreRefused) {
  for (const std::string& whole : {Fixture("reference.pt"), OwnForm()}) {
    for (const size_t size : {size_t{1}, size_t{3}, size_t{30}, whole.size() / 2, whole.size() - 1}) {
      const auto refused = Import(whole.substr(0, size));
      EXPECT_THAT(refused, IsError(kInvalid, reason::kFileCorrupt)) << size << " bytes";
    }
  }
  EXPECT_EQ(Kept(), 1U) << "the one that the file was made of";
}

TEST_F(FactorizationImporterTest, OtherFilesAreRefused) {
  ExpectRefused("not a file of tensors", kInvalid, reason::kFileCorrupt, "no valid safetensors file");
  ExpectRefused(FileContent(SUPERPOSE_TEST_DATA "/golden/tiny_transcoder_dunefsky.pt"), kInvalid,
                reason::kFileUnsupported, "{\"weights\": .., \"config\": ..}");
  ExpectRefused(FileContent(SUPERPOSE_TEST_DATA "/golden/tiny_transcoder.safetensors"), kInvalid,
                reason::kFileUnsupported, "is no factorization");
  ExpectRefused(FileContent(SUPERPOSE_TEST_DATA "/midcoder/d_model.pt"), absl::StatusCode::kNotFound,
                reason::kTensorMissing, "neither factors nor decoder.weight");
}

TEST_F(FactorizationImporterTest, FactorsOfTheReferenceThatCannotBeAreRefused) {
  at::Tensor broken = at::ones({4, 3}), empty = broken.clone();
  broken[2][1] = std::numeric_limits<double>::quiet_NaN();
  empty[2].zero_();
  ExpectRefused(Reference({{"factors", at::ones({3})}}), kInvalid, reason::kTensorShapeMismatch, "must be a matrix");
  ExpectRefused(Reference({{"factors", at::ones({4, 3})}, {"b_pre", at::ones({4})}}), kInvalid,
                reason::kTensorShapeMismatch, "b_pre has shape [4], not [3]");
  ExpectRefused(Reference({{"factors", at::ones({4, 3}, at::kLong)}}), kInvalid, reason::kFileUnsupported,
                "factors does not hold floating-point numbers");
  ExpectRefused(Reference({{"factors", broken}}), kInvalid, reason::kTensorNotFinite, "factors holds NaN");
  ExpectRefused(Reference({{"factors", empty}}), kInvalid, reason::kConfigInvalid, "direction 2 has length 0");
  ExpectRefused(Reference({{"b_pre", at::ones({3})}}), absl::StatusCode::kNotFound, reason::kTensorMissing, "factors");
}

TEST_F(FactorizationImporterTest, TensorsThatAreNotTheDescribedOnesAreRefused) {
  const StringMap metadata = MetadataOfWhole();
  const auto with = [&](const std::string& name, const at::Tensor& tensor) {
    TensorMap tensors = MakeWholeFactorization().tensors;
    tensors[name] = tensor;
    return Safetensors(tensors, metadata);
  };
  ExpectRefused(with("factors", at::ones({4, 3}, at::kDouble)), kInvalid, reason::kFileUnsupported,
                "factors holds Double, not Float");
  ExpectRefused(with("factors", at::ones({5, 3})), kInvalid, reason::kTensorShapeMismatch, "it has [4, 3]");
  ExpectRefused(with("error", at::full({7}, std::numeric_limits<float>::quiet_NaN())), kInvalid,
                reason::kTensorNotFinite, "error");
  ExpectRefused(with("nearest", at::full({4}, 4, at::kLong)), kInvalid, reason::kFileCorrupt, "-1 .. 3");
  ExpectRefused(with("error", at::zeros({7})), kInvalid, reason::kFileCorrupt, "content hash");
  TensorMap tensors = MakeWholeFactorization().tensors;
  tensors.erase("parameter");
  ExpectRefused(Safetensors(tensors, metadata), absl::StatusCode::kNotFound, reason::kTensorMissing, "no parameter");
}

TEST_F(FactorizationImporterTest, DescriptionsThatAreNoneAreRefused) {
  const TensorMap tensors = MakeWholeFactorization().tensors;
  const auto with = [&](const std::string& key, const std::string& text) {
    StringMap metadata = MetadataOfWhole();
    metadata[key] = text;
    return Safetensors(tensors, metadata);
  };
  ExpectRefused(Safetensors(tensors, {}), kInvalid, reason::kFileUnsupported, "superpose.factorization");
  ExpectRefused(with("format", "superpose.midcoder"), kInvalid, reason::kFileUnsupported, "superpose.factorization");
  ExpectRefused(with("factorization", "{\"factors\": \"many\"}"), kInvalid, reason::kFileCorrupt, "cannot be read");
  ExpectRefused(with("factorization", "{}"), kInvalid, reason::kFileCorrupt, "factors is 0");
  ExpectRefused(with("factorization", absl::StrCat("{\"job\": \"", std::string(1 << 20, 'x'), "\"}")), kInvalid,
                reason::kFileUnsupported, "at most");
}

TEST_F(FactorizationImporterTest, AReferencesFileTakesFourTimesItsBytesUntilItIsRead) {
  const std::string content = Fixture("reference.pt");
  const auto bytes = static_cast<int64_t>(content.size());
  MemoryBudget small(4 * bytes - 1), enough(4 * bytes);
  EXPECT_THAT(Import(content, nullptr, &small), Refused(absl::StatusCode::kResourceExhausted, reason::kMemoryExceeded,
                                                        "importing this factorization needs"));
  EXPECT_THAT(Import(content, nullptr, &small), MessageHas("raise memory_limit_bytes"));
  EXPECT_TRUE(HasUploads()) << "it can be asked for again";
  EXPECT_OK(Import(content, nullptr, &enough));
  EXPECT_EQ(enough.used_bytes(), 0);
  EXPECT_OK(Import(OwnForm(), nullptr, &small)) << "our own form stays mapped";
}

TEST_F(FactorizationImporterTest, TheSameRequestAgainMakesNothing) {
  const auto once = [](v1::ImportFactorizationRequest* request) { request->set_request_id("once"); };
  ASSERT_OK_AND_ASSIGN(const v1::Factorization first, Import(Fixture("reference.pt"), once));
  ASSERT_OK_AND_ASSIGN(const v1::Factorization second, Import(Fixture("reference.pt"), once));
  EXPECT_EQ(second.name(), first.name());
  EXPECT_EQ(Kept(), 1U);
  EXPECT_THAT(Import(Fixture("topk.pt"), once), IsError(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused));
}

TEST_F(FactorizationImporterTest, AnUploadMustBeThere) {
  const auto of = [](const std::string& name) {
    return [name](v1::ImportFactorizationRequest* request) { request->set_upload(name); };
  };
  EXPECT_THAT(Import("x", of("uploads/" + std::string(64, '0'))),
              IsError(absl::StatusCode::kNotFound, reason::kUploadNotFound));
  EXPECT_THAT(Import("x", of("uploads/none")), Refused(kInvalid, reason::kNameInvalid, "SHA-256"));
}

}  // namespace
}  // namespace superpose
