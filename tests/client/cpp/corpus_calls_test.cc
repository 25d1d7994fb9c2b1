// Corpora of one's own: token files that are sent and become one.
#include <string>

#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using CorpusCallsTest = TinyServerTest;

// 16 ids, 1 .. 16, in four bytes each.
std::string WideIds() {
  std::string bytes;
  for (char id = 1; id <= 16; ++id) bytes += {id, '\0', '\0', '\0'};
  return bytes;
}

TEST_F(CorpusCallsTest, TokensOfFourBytesAreReadAsTheRequestSays) {
  v1::CreateCorpusRequest request;
  request.set_corpus_id("wide");
  request.set_format(".bin");
  ASSERT_OK_AND_ASSIGN(*request.add_uploads(), client().UploadBytes(WideIds()));
  const auto refused = client().CreateCorpus(request);
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
  EXPECT_THAT(refused.status(), MessageHas("token_dtype to \"uint32\""));
  request.set_token_dtype("uint32");
  ASSERT_OK_AND_ASSIGN(const v1::Corpus corpus, client().CreateCorpus(request));
  EXPECT_EQ(corpus.tokens(), 16);
  EXPECT_OK(client().DeleteCorpus("corpora/wide"));
}

TEST_F(CorpusCallsTest, ATypeOfTokensThatThereIsNotIsRefused) {
  v1::CreateCorpusRequest request;
  request.set_format(".bin");
  request.set_token_dtype("int64");
  ASSERT_OK_AND_ASSIGN(*request.add_uploads(), client().UploadBytes(WideIds()));
  EXPECT_THAT(client().CreateCorpus(request), FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
}

}  // namespace
}  // namespace superpose::client
