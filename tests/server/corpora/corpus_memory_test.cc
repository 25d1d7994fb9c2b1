// What uploaded corpora of text take of the memory budget.
#include <ATen/ATen.h>

#include <filesystem>
#include <memory>
#include <string>

#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "server/corpora/corpus_store.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"
#include "tests/support/synthetic_files.h"

namespace superpose {
namespace {

class CorpusMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    ModelConfig model;
    model.d_model = 8;
    model.d_mlp = 16;
    model.n_layers = 1;
    model.n_heads = 2;
    model.n_positions = 16;
    model.vocab_size = 512;
    WriteModelFolder(model_folder_, model);
    for (const char* name : {"vocab.json", "merges.txt"}) {
      std::filesystem::copy_file(std::string(SUPERPOSE_TEST_DATA "/tokenizer/vocab_merges/") + name,
                                 model_folder_.File(name));
    }
    v1::ServerConfig config;
    config.set_device("cpu");
    config.add_model()->set_name("tiny");
    config.mutable_model(0)->set_path(model_folder_.path());
    ASSERT_OK_AND_ASSIGN(registry_, ModelRegistry::Load(config));
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(uploads_, UploadStore::Open(folder_.get(), 1 << 20, &clock_));
    Open();
  }
  void Open() {
    ASSERT_OK_AND_ASSIGN(store_, CorpusStore::Open(folder_.get(), uploads_.get(), registry_.get(), &clock_, &budget_));
  }
  absl::StatusOr<CorpusHandle> Create(const std::string& id, size_t letters) {
    const std::string content(letters, 'q');
    NewCorpus wanted;
    wanted.id = id;
    wanted.format = ".txt";
    wanted.uploads = {"uploads/" + Sha256Hex(content)};
    SUPERPOSE_ASSIGN_OR_RETURN(const auto writer, uploads_->Write(wanted.uploads[0], static_cast<int64_t>(letters), 0));
    SUPERPOSE_RETURN_IF_ERROR(writer->CatchUp().status());
    SUPERPOSE_RETURN_IF_ERROR(writer->Append(0, content));
    return store_->Create(wanted);
  }

  const TestFolder model_folder_;
  const TemporaryFolder parent_;
  FakeClock clock_;
  MemoryBudget budget_{64 << 10};
  std::unique_ptr<ModelRegistry> registry_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<UploadStore> uploads_;
  std::unique_ptr<CorpusStore> store_;
};

TEST_F(CorpusMemoryTest, AnUploadedCorpusIsReservedUntilItIsDeletedAndAgainAfterARestart) {
  ASSERT_OK_AND_ASSIGN(CorpusHandle corpus, Create("mine", 3000));
  const int64_t held = budget_.used_bytes();
  EXPECT_GE(held, 4 * corpus->corpus->tokens());
  corpus.reset();
  EXPECT_EQ(budget_.used_bytes(), held);
  store_.reset();
  ASSERT_OK(registry_->RemoveCorpus("corpora/mine"));
  EXPECT_EQ(budget_.used_bytes(), 0);
  Open();
  EXPECT_EQ(budget_.used_bytes(), held);
  ASSERT_OK(store_->Delete("corpora/mine"));
  EXPECT_EQ(budget_.used_bytes(), 0);
}

TEST_F(CorpusMemoryTest, ACorpusThatDoesNotFitIsRefusedAndNothingIsKept) {
  const auto refused = Create("mine", 100'000);
  EXPECT_THAT(refused, IsError(absl::StatusCode::kResourceExhausted, reason::kMemoryExceeded));
  EXPECT_EQ(budget_.used_bytes(), 0);
  EXPECT_THAT(registry_->FindCorpus("corpora/mine"), IsError(absl::StatusCode::kNotFound, reason::kCorpusNotFound));
  EXPECT_OK(Create("other", 1000));
}

}  // namespace
}  // namespace superpose
