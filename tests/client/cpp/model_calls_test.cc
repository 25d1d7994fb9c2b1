#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ModelCallsTest = TinyServerTest;

TEST_F(ModelCallsTest, ModelsAreListedWithTheirTranscoders) {
  ASSERT_OK_AND_ASSIGN(std::vector<v1::Model> models, client().ListModels());
  ASSERT_EQ(models.size(), 1);
  EXPECT_EQ(models[0].name(), "models/tiny");
  EXPECT_EQ(models[0].d_model(), 32);
  EXPECT_EQ(models[0].d_mlp(), 128);
  EXPECT_EQ(models[0].n_layers(), 3);
  ASSERT_EQ(models[0].transcoders_size(), 1);
  EXPECT_EQ(models[0].transcoders(0).name(), "models/tiny/transcoders/layer1");
  EXPECT_EQ(models[0].transcoders(0).d_sae(), 256);
}

TEST_F(ModelCallsTest, TheOnlyModelNeedsNoName) {
  ASSERT_OK_AND_ASSIGN(v1::Model model, client().GetModel());
  EXPECT_EQ(model.name(), "models/tiny");
}

TEST_F(ModelCallsTest, AModelThatDoesNotExistIsNotFound) {
  EXPECT_THAT(client().GetModel("models/other"), FailsWith(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND"));
  EXPECT_THAT(client().GetModel("other"), FailsWith(absl::StatusCode::kInvalidArgument, "NAME_INVALID"));
}

TEST_F(ModelCallsTest, AModelWithoutATokenizerSaysSo) {
  v1::TokenizeRequest request;
  request.set_model("models/-");
  request.add_texts("The cat sat");
  EXPECT_THAT(client().Tokenize(request), FailsWith(absl::StatusCode::kFailedPrecondition, "TOKENIZER_MISSING"));
  EXPECT_THAT(client().Detokenize({1, 2}), FailsWith(absl::StatusCode::kFailedPrecondition, "TOKENIZER_MISSING"));
}

TEST_F(ModelCallsTest, CorporaAreListed) {
  ASSERT_OK_AND_ASSIGN(std::vector<v1::Corpus> corpora, client().ListCorpora());
  ASSERT_EQ(corpora.size(), 1);
  EXPECT_EQ(corpora[0].name(), "corpora/rows");
  EXPECT_EQ(corpora[0].row_length(), kTinyRowLength);
  EXPECT_EQ(corpora[0].tokens(), kTinyCorpusRows * kTinyRowLength);
  ASSERT_OK_AND_ASSIGN(v1::Corpus one, client().GetCorpus("corpora/rows"));
  EXPECT_EQ(one.content_hash(), corpora[0].content_hash());
}

TEST_F(ModelCallsTest, ACorpusThatDoesNotExistIsNotFound) {
  EXPECT_THAT(client().GetCorpus("corpora/other"), FailsWith(absl::StatusCode::kNotFound, "CORPUS_NOT_FOUND"));
}

}  // namespace
}  // namespace superpose::client
