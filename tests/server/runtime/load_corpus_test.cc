// Corpora in the budget, and corpora of a model that another has taken the place of.
#include "server/runtime/load_corpus.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <string>
#include <utility>

#include "server/runtime/job_handles.h"
#include "server/runtime/load_model.h"
#include "server/runtime/reasons.h"
#include "server/runtime/tested_transcoder.h"
#include "tests/status_matchers.h"
#include "tests/support/synthetic_files.h"

namespace superpose {
namespace {

constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr char kTokenizer[] = SUPERPOSE_TEST_DATA "/tokenizer/vocab_merges";

ModelConfig Config(int64_t vocab_size) {
  ModelConfig config;
  config.d_model = 8;
  config.d_mlp = 16;
  config.n_layers = 1;
  config.n_heads = 2;
  config.n_positions = 16;
  config.vocab_size = vocab_size;
  return config;
}

class LoadCorpusTest : public testing::Test {
 protected:
  // The model "tiny" with such a vocabulary, of which its tokenizer knows 400 ids.
  ModelHandle LoadModel(int64_t vocab_size, bool with_tokenizer = true) const {
    WriteModelFolder(folder_, Config(vocab_size));
    for (const char* name : {"vocab.json", "merges.txt"}) {
      std::filesystem::remove(folder_.File(name));
      if (with_tokenizer) std::filesystem::copy_file(std::string(kTokenizer) + "/" + name, folder_.File(name));
    }
    return ReadModel();
  }
  ModelHandle ReadModel() const {
    v1::ModelEntry entry;
    entry.set_name("tiny");
    entry.set_path(folder_.path());
    auto model = LoadModelFiles(entry, {});
    EXPECT_OK(model);
    return model.ok() ? *std::move(model) : nullptr;
  }
  CorpusFiles Text(int64_t lines) const {
    std::string text;
    for (int64_t i = 0; i < lines; ++i) text += "{\"text\": \"a b c d e f g h i j k l m n o p q r s t u v w x y z\"}\n";
    CorpusFiles files;
    files.paths = {folder_.Write("text.jsonl", text)};
    return files;
  }
  CorpusFiles Ids() const {
    CorpusFiles files;
    std::string ids;
    for (int i = 0; i < 400; ++i) ids += {static_cast<char>(i % 256), static_cast<char>(i / 256)};
    files.paths = {folder_.Write("ids.bin", ids)};
    return files;
  }

  const TestFolder folder_;
};

TEST_F(LoadCorpusTest, TheTokensOfTextAreReservedUntilTheLastHolderLetsGo) {
  MemoryBudget budget(1 << 20);
  const ModelHandle model = LoadModel(512);
  ASSERT_NE(model, nullptr);
  ASSERT_OK_AND_ASSIGN(LoadedCorpus loaded, LoadCorpusFiles(Text(100), *model, &budget));
  EXPECT_GE(budget.used_bytes(), 4 * (loaded.corpus->tokens() - 99));
  EXPECT_LE(budget.used_bytes(), 2 * 4 * loaded.corpus->tokens() + 4096) << "vectors have room for twice as much";
  const auto other = std::make_shared<LoadedCorpus>(loaded);
  const int64_t held = budget.used_bytes();
  loaded.corpus.reset();
  EXPECT_EQ(budget.used_bytes(), held);
  other->corpus.reset();
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST_F(LoadCorpusTest, TextThatDoesNotFitIsRefusedWhileItIsRead) {
  MemoryBudget budget(16 << 10);
  const ModelHandle model = LoadModel(512);
  ASSERT_NE(model, nullptr);
  const auto refused = LoadCorpusFiles(Text(10'000), *model, &budget);
  EXPECT_THAT(refused, IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_THAT(refused, MessageHas("15.0 KiB of the server's 16.0 KiB can be had: make it smaller"));
  EXPECT_EQ(budget.used_bytes(), 0);
  EXPECT_OK(LoadCorpusFiles(Text(10), *model, &budget));
}

TEST_F(LoadCorpusTest, TokenFilesAreMappedAndTakeNothing) {
  MemoryBudget budget(0);
  const ModelHandle model = LoadModel(512);
  ASSERT_NE(model, nullptr);
  ASSERT_OK_AND_ASSIGN(const LoadedCorpus loaded, LoadCorpusFiles(Ids(), *model, &budget));
  EXPECT_EQ(budget.used_bytes(), 0);
  EXPECT_EQ(loaded.corpus->tokens(), 400);
}

TEST_F(LoadCorpusTest, ACorpusFitsTheSameModelLoadedAgain) {
  const ModelHandle before = LoadModel(512);
  ASSERT_NE(before, nullptr);
  ASSERT_OK_AND_ASSIGN(const LoadedCorpus text, LoadCorpusFiles(Text(10), *before, nullptr));
  ASSERT_OK_AND_ASSIGN(const LoadedCorpus ids, LoadCorpusFiles(Ids(), *before, nullptr));
  const ModelHandle after = LoadModel(512);
  ASSERT_NE(after, nullptr);
  EXPECT_OK(CheckVocabulary(text, *after));
  EXPECT_OK(CheckVocabulary(ids, *after));
}

TEST_F(LoadCorpusTest, WithAnotherVocabularyNoCorpusFits) {
  const ModelHandle before = LoadModel(512);
  ASSERT_NE(before, nullptr);
  ASSERT_OK_AND_ASSIGN(LoadedCorpus text, LoadCorpusFiles(Text(10), *before, nullptr));
  ASSERT_OK_AND_ASSIGN(const LoadedCorpus ids, LoadCorpusFiles(Ids(), *before, nullptr));
  text.name = "corpora/text";
  const ModelHandle after = LoadModel(600);
  ASSERT_NE(after, nullptr);
  const absl::Status refused = CheckVocabulary(text, *after);
  EXPECT_THAT(refused, IsError(kPrecondition, reason::kInputChanged));
  EXPECT_THAT(refused, MessageHas("corpora/text was made for models/tiny with another vocabulary (512 ids"));
  EXPECT_THAT(CheckVocabulary(ids, *after), IsError(kPrecondition, reason::kInputChanged));
}

TEST_F(LoadCorpusTest, AnotherTokenizerMattersToWhatItMade) {
  const ModelHandle before = LoadModel(512);
  ASSERT_NE(before, nullptr);
  ASSERT_OK_AND_ASSIGN(const LoadedCorpus text, LoadCorpusFiles(Text(10), *before, nullptr));
  ASSERT_OK_AND_ASSIGN(const LoadedCorpus ids, LoadCorpusFiles(Ids(), *before, nullptr));
  folder_.Write("merges.txt", "#version: 0.2\n");
  const ModelHandle after = ReadModel();
  ASSERT_NE(after, nullptr);
  EXPECT_THAT(CheckVocabulary(text, *after), IsError(kPrecondition, reason::kInputChanged));
  EXPECT_OK(CheckVocabulary(ids, *after)) << "ids that a file brought are nobody's tokenizer's";
  const ModelHandle without = LoadModel(512, /*with_tokenizer=*/false);
  ASSERT_NE(without, nullptr);
  EXPECT_THAT(CheckVocabulary(text, *without), IsError(kPrecondition, reason::kInputChanged));
}

// The same through what jobs and self-tests find.
class ReloadedModelTest : public LoadCorpusTest {
 protected:
  void SetUp() override {
    WriteModelFolder(folder_, Config(512));
    Ids();
    WriteTranscoderFile(folder_, "transcoder.pt", 8, 32, 0);
    v1::ServerConfig config;
    config.set_device("cpu");
    config.add_model()->set_name("tiny");
    config.mutable_model(0)->set_path(folder_.path());
    *config.mutable_model(0)->add_transcoder() = Transcoder();
    config.add_corpus()->set_name("ids");
    config.mutable_corpus(0)->set_model("tiny");
    config.mutable_corpus(0)->add_path(folder_.File("ids.bin"));
    ASSERT_OK_AND_ASSIGN(registry_, ModelRegistry::Load(config));
  }
  v1::TranscoderEntry Transcoder() const {
    v1::TranscoderEntry entry;
    entry.set_id("one");
    entry.set_path(folder_.File("transcoder.pt"));
    return entry;
  }
  // As unloading it and loading it again does.
  ModelHandle LoadAgain(int64_t vocab_size) {
    EXPECT_OK(registry_->RemoveModel("models/tiny"));
    WriteModelFolder(folder_, Config(vocab_size));
    v1::ModelEntry entry;
    entry.set_name("tiny");
    entry.set_path(folder_.path());
    *entry.add_transcoder() = Transcoder();
    LoadContext context;
    context.registry = registry_.get();
    auto model = LoadModelFiles(entry, context);
    EXPECT_OK(model);
    if (!model.ok()) return nullptr;
    EXPECT_OK(registry_->AddModel(*model));
    return *model;
  }
  absl::Status FindHandles() const {
    v1::MidcoderTrainingSpec spec;
    spec.add_transcoders("models/tiny/layers/0");
    spec.set_corpus("corpora/ids");
    return FindTrainingHandles(*registry_, spec).status();
  }

  std::unique_ptr<ModelRegistry> registry_;
};

TEST_F(ReloadedModelTest, JobsUseTheCorporaOfTheSameModel) {
  EXPECT_OK(FindHandles());
  ASSERT_NE(LoadAgain(512), nullptr);
  EXPECT_OK(FindHandles());
}

TEST_F(ReloadedModelTest, JobsAreRefusedCorporaOfAnotherVocabulary) {
  ASSERT_NE(LoadAgain(600), nullptr);
  const absl::Status refused = FindHandles();
  EXPECT_THAT(refused, IsError(kPrecondition, reason::kInputChanged));
  EXPECT_THAT(refused, MessageHas("make the corpus anew"));
}

TEST_F(ReloadedModelTest, ASelfTestReadsNoCorpusOfAnotherVocabulary) {
  const ModelHandle same = LoadAgain(512);
  ASSERT_NE(same, nullptr);
  EXPECT_EQ(same->transcoders.at(0)->self_test_tokens, "corpora/ids");
  const ModelHandle other = LoadAgain(600);
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->transcoders.at(0)->self_test_tokens, "random token ids");
}

}  // namespace
}  // namespace superpose
