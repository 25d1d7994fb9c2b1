// Files and corpora of users, against the real server: broken streams, killed servers, and what is refused.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/sha256.h"
#include "proto/crc32c.h"
#include "superpose/v1/corpus_service.grpc.pb.h"
#include "superpose/v1/upload_service.grpc.pb.h"
#include "tests/client/tiny_server_test.h"
#include "tests/client/tiny_specs.h"

namespace superpose {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kPiece = int64_t{1} << 20;

// Two-byte token ids below 256, `pieces` MiB of them.
std::string Ids(int64_t pieces, char first = 1) {
  std::string bytes(static_cast<size_t>(pieces * kPiece), '\0');
  for (size_t i = 0; i < bytes.size(); i += 2) bytes[i] = static_cast<char>(first + i % 7);
  return bytes;
}

std::string NameOf(const std::string& content) { return "uploads/" + Sha256Hex(content); }

v1::WriteUploadRequest Piece(const std::string& content, int64_t offset, int64_t size = kPiece) {
  v1::WriteUploadRequest piece;
  piece.set_name(NameOf(content));
  piece.set_size_bytes(static_cast<int64_t>(content.size()));
  piece.set_offset(offset);
  piece.set_data(content.substr(static_cast<size_t>(offset), static_cast<size_t>(size)));
  piece.set_crc32c(Crc32c(piece.data()));
  return piece;
}

// One WriteUpload call, piece by piece.
class RawUpload {
 public:
  explicit RawUpload(const std::string& address)
      : stub_(v1::UploadService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    writer_ = stub_->WriteUpload(&context_, &response_);
  }
  bool Write(const v1::WriteUploadRequest& piece) { return writer_->Write(piece); }
  absl::Status End() {
    writer_->WritesDone();
    return client::FromGrpc(writer_->Finish());
  }
  void BreakOff() {
    context_.TryCancel();
    writer_->Finish();
  }
  const v1::Upload& upload() const { return response_.upload(); }

 private:
  std::unique_ptr<v1::UploadService::Stub> stub_;
  grpc::ClientContext context_;
  v1::WriteUploadResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::WriteUploadRequest>> writer_;
};

absl::Status SendPieces(const std::string& address, const std::vector<v1::WriteUploadRequest>& pieces) {
  RawUpload upload(address);
  for (const v1::WriteUploadRequest& piece : pieces) {
    if (!upload.Write(piece)) break;
  }
  return upload.End();
}

// How much the server has, asked until it is `enough`: a broken stream's last piece may still be on its way to the
// disk.
int64_t WaitUntilCommitted(const std::string& address, const std::string& name, int64_t enough) {
  const auto stub = v1::UploadService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  int64_t committed = 0;
  while (committed < enough && absl::Now() < give_up) {
    grpc::ClientContext context;
    v1::GetUploadRequest request;
    request.set_name(name);
    v1::GetUploadResponse response;
    if (stub->GetUpload(&context, request, &response).ok()) committed = response.upload().committed_bytes();
  }
  return committed;
}

// The progress of an upload, as its callback saw it.
struct Seen {
  std::vector<int64_t> done;
  client::UploadProgress Callback() {
    return [this](int64_t bytes, int64_t) { done.push_back(bytes); };
  }
};

v1::CreateCorpusRequest CorpusOf(const std::string& id, const std::vector<std::string>& uploads) {
  v1::CreateCorpusRequest request;
  request.set_corpus_id(id);
  request.set_model("models/tiny");
  request.set_format(".bin");
  for (const std::string& upload : uploads) request.add_uploads(upload);
  return request;
}

TEST(UploadTest, AFileIsSentOnceAndNeverAgain) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  const std::string content = Ids(3);
  Seen first, second;
  ASSERT_OK_AND_ASSIGN(const std::string name, client.UploadBytes(content, first.Callback()));
  EXPECT_EQ(name, NameOf(content));
  EXPECT_EQ(first.done, (std::vector<int64_t>{0, kPiece, 2 * kPiece, 3 * kPiece}));
  EXPECT_EQ(*client.UploadBytes(content, second.Callback()), name);
  EXPECT_EQ(second.done, std::vector<int64_t>{3 * kPiece}) << "nothing was sent";
  EXPECT_OK(client.UploadBytes(""));
}

TEST(UploadTest, ABrokenStreamGoesOnWhereItBroke) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  const std::string content = Ids(4);
  RawUpload broken(server->address());
  ASSERT_TRUE(broken.Write(Piece(content, 0)));
  ASSERT_TRUE(broken.Write(Piece(content, kPiece)));
  EXPECT_EQ(WaitUntilCommitted(server->address(), NameOf(content), 2 * kPiece), 2 * kPiece);
  broken.BreakOff();
  Seen seen;
  ASSERT_OK(client.UploadBytes(content, seen.Callback()));
  EXPECT_EQ(seen.done.front(), 2 * kPiece);
  EXPECT_EQ(seen.done.back(), 4 * kPiece);
}

TEST(UploadTest, AnUploadGoesOnAfterTheServerWasKilled) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  const std::string content = Ids(6);
  bool killed = false;
  std::vector<int64_t> starts;
  int64_t before = -1;
  auto on_progress = [&](int64_t done, int64_t) {
    if (done <= before || before < 0) starts.push_back(done);
    before = done;
    if (done < 3 * kPiece || killed) return;
    killed = true;
    EXPECT_GT(WaitUntilCommitted(server->address(), NameOf(content), 1), 0);
    server->process().Kill();
    EXPECT_OK(server->StartAgain());
  };
  ASSERT_OK(client.UploadBytes(content, on_progress));
  ASSERT_GE(starts.size(), 2U);
  EXPECT_EQ(starts[0], 0);
  EXPECT_GT(starts[1], 0) << "what was there before the kill was not sent again";
}

TEST(UploadTest, WhatIsSentInPartIsTakenInPart) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  const std::string content = Ids(2);
  RawUpload part(server->address());
  ASSERT_TRUE(part.Write(Piece(content, 0)));
  ASSERT_OK(part.End());
  EXPECT_EQ(part.upload().committed_bytes(), kPiece);
  EXPECT_EQ(part.upload().size_bytes(), 2 * kPiece);
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  const auto corpus = client.CreateCorpus(CorpusOf("part", {NameOf(content)}));
  EXPECT_EQ(client::ReasonOf(corpus.status()), "UPLOAD_INCOMPLETE");
}

class UploadErrorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto server = TinyServer::Start("max_upload_bytes: 3000000");
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  static void TearDownTestSuite() { server_.reset(); }
  static absl::Status Send(const std::vector<v1::WriteUploadRequest>& pieces) {
    return SendPieces(server_->address(), pieces);
  }
  static void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& reason) {
    EXPECT_EQ(status.code(), code) << status.ToString();
    EXPECT_EQ(client::ReasonOf(status), reason) << status.ToString();
  }

  static inline std::unique_ptr<TinyServer> server_;
};

TEST_F(UploadErrorTest, APieceWithAnotherChecksumIsRefused) {
  const std::string content = Ids(1);
  v1::WriteUploadRequest piece = Piece(content, 0);
  piece.set_crc32c(piece.crc32c() ^ 1);
  ExpectError(Send({piece}), absl::StatusCode::kDataLoss, "UPLOAD_CORRUPT");
  EXPECT_OK(Send({Piece(content, 0)}));
}

TEST_F(UploadErrorTest, AWholeWithAnotherHashIsRefused) {
  const std::string content(100, 'a');
  v1::WriteUploadRequest piece = Piece(content, 0);
  piece.set_name(NameOf("something else"));
  ExpectError(Send({piece}), absl::StatusCode::kDataLoss, "UPLOAD_CORRUPT");
}

TEST_F(UploadErrorTest, APieceOverAMebibyteIsTooLarge) {
  const std::string content = Ids(2);
  ExpectError(Send({Piece(content, 0, kPiece + 2)}), absl::StatusCode::kResourceExhausted, "REQUEST_TOO_LARGE");
}

TEST_F(UploadErrorTest, AFileOverTheLimitIsTooLarge) {
  const std::string content = Ids(3);
  ExpectError(Send({Piece(content, 0)}), absl::StatusCode::kResourceExhausted, "REQUEST_TOO_LARGE");
  ASSERT_OK_AND_ASSIGN(const Client client, server_->Connect());
  ExpectError(client.UploadBytes(content).status(), absl::StatusCode::kResourceExhausted, "REQUEST_TOO_LARGE");
}

TEST_F(UploadErrorTest, PiecesThatDoNotFollowOneAnotherAreRefused) {
  const std::string content = Ids(2, 3);
  ExpectError(Send({Piece(content, kPiece)}), absl::StatusCode::kFailedPrecondition, "UPLOAD_INCOMPLETE");
  ExpectError(Send({Piece(content, 0, 1000), Piece(content, 2000, 1000)}), absl::StatusCode::kFailedPrecondition,
              "UPLOAD_INCOMPLETE");
  v1::WriteUploadRequest last = Piece(content, 1000);
  last.set_data(content.substr(1000, kPiece));
  EXPECT_OK(Send({last})) << "the piece before the wrong one was kept";
}

TEST_F(UploadErrorTest, BytesBeyondTheSizeAreRefused) {
  const std::string content = Ids(1, 2);
  v1::WriteUploadRequest piece = Piece(content, 0);
  piece.set_size_bytes(1000);
  ExpectError(Send({piece}), absl::StatusCode::kInvalidArgument, "CONFIG_INVALID");
  piece.set_size_bytes(-1);
  ExpectError(Send({piece}), absl::StatusCode::kInvalidArgument, "CONFIG_INVALID");
}

TEST_F(UploadErrorTest, ACallWithoutAPieceIsEmpty) {
  ExpectError(Send({}), absl::StatusCode::kInvalidArgument, "EMPTY_INPUT");
}

TEST_F(UploadErrorTest, NamesThatLeadElsewhereAreRefused) {
  const std::string content(10, 'x');
  for (const char* name : {"", "uploads/", "uploads/../superpose.db", "uploads/..", "midcoders/ab"}) {
    v1::WriteUploadRequest piece = Piece(content, 0);
    piece.set_name(name);
    ExpectError(Send({piece}), absl::StatusCode::kInvalidArgument, "NAME_INVALID");
  }
}

TEST_F(UploadErrorTest, ASecondWriterIsToldOfTheFirst) {
  const std::string content = Ids(2, 5);
  RawUpload first(server_->address());
  ASSERT_TRUE(first.Write(Piece(content, 0)));
  ASSERT_EQ(WaitUntilCommitted(server_->address(), NameOf(content), kPiece), kPiece);
  ExpectError(Send({Piece(content, kPiece)}), absl::StatusCode::kAborted, "UPLOAD_INCOMPLETE");
  ASSERT_TRUE(first.Write(Piece(content, kPiece)));
  ASSERT_OK(first.End());
  EXPECT_EQ(first.upload().committed_bytes(), 2 * kPiece);
}

TEST(UploadedCorpusTest, ItIsTrainedOnAndThereAgainAfterARestart) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect({.user = "ada"}));
  ASSERT_OK_AND_ASSIGN(const std::string one, client.UploadBytes(Ids(1)));
  ASSERT_OK_AND_ASSIGN(const std::string two, client.UploadBytes(Ids(1, 2)));
  ASSERT_OK_AND_ASSIGN(const v1::Corpus corpus, client.CreateCorpus(CorpusOf("mine", {one, two})));
  EXPECT_EQ(corpus.name(), "corpora/mine");
  EXPECT_EQ(corpus.tokens(), kPiece);
  EXPECT_EQ(corpus.files(), 2);
  EXPECT_TRUE(corpus.uploaded());
  EXPECT_EQ(corpus.owner(), "ada");
  EXPECT_GT(corpus.create_time().seconds(), 0);
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.set_corpus("corpora/mine");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client.TrainMidcoder(spec));
  EXPECT_OK(client.WaitForJob(job.name()));

  server->process().Kill();
  ASSERT_OK(server->StartAgain());
  ASSERT_OK_AND_ASSIGN(const Client again, server->Connect({.user = "grace"}));
  ASSERT_OK_AND_ASSIGN(const v1::Corpus loaded, again.GetCorpus("corpora/mine"));
  EXPECT_EQ(loaded.DebugString(), corpus.DebugString());
  ASSERT_OK_AND_ASSIGN(const v1::Corpus same, again.CreateCorpus(CorpusOf("mine", {one, two})));
  EXPECT_EQ(same.owner(), "ada") << "it is the one that was there";
  ASSERT_OK(again.DeleteCorpus("corpora/mine"));
  EXPECT_EQ(client::ReasonOf(again.GetCorpus("corpora/mine").status()), "CORPUS_NOT_FOUND");
}

TEST(UploadedCorpusTest, ItIsNotDeletedWhileAJobReadsIt) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const std::string upload, client.UploadBytes(Ids(1)));
  ASSERT_OK(client.CreateCorpus(CorpusOf("mine", {upload})));
  v1::MidcoderTrainingSpec spec = EndlessTraining();
  spec.set_corpus("corpora/mine");
  ASSERT_OK_AND_ASSIGN(const v1::Job running, client.TrainMidcoder(spec));
  ASSERT_OK_AND_ASSIGN(const v1::Job queued, client.TrainMidcoder(spec));
  for (const v1::Job& job : {running, queued}) {
    const absl::Status refused = client.DeleteCorpus("corpora/mine");
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(client::ReasonOf(refused), "RESOURCE_IN_USE");
    EXPECT_THAT(std::string(refused.message()), HasSubstr("jobs/"));
    ASSERT_OK(client.CancelJob(job.name()));
    ASSERT_OK(client.WatchJob(job.name(), nullptr));
  }
  EXPECT_OK(client.DeleteCorpus("corpora/mine"));
}

TEST(UploadedCorpusTest, ACorpusOfOneTokenIsRefusedWhenItIsUsed) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const std::string upload, client.UploadBytes(std::string("\x05\x00", 2)));
  ASSERT_OK_AND_ASSIGN(const v1::Corpus corpus, client.CreateCorpus(CorpusOf("one", {upload})));
  EXPECT_EQ(corpus.tokens(), 1);
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.set_corpus("corpora/one");
  EXPECT_EQ(client::ReasonOf(client.TrainMidcoder(spec).status()), "CORPUS_TOO_SMALL");
}

TEST(UploadedCorpusTest, WhatCannotBeRefusedEarlierIsRefusedByName) {
  ASSERT_OK_AND_ASSIGN(const auto server, TinyServer::Start());
  ASSERT_OK_AND_ASSIGN(const Client client, server->Connect());
  ASSERT_OK_AND_ASSIGN(const std::string upload, client.UploadBytes("abc"));
  const struct {
    v1::CreateCorpusRequest request;
    const char* reason;
  } cases[] = {{CorpusOf("mine", {upload}), "FILE_CORRUPT"},
               {CorpusOf("..", {upload}), "NAME_INVALID"},
               {CorpusOf("mine", {}), "EMPTY_INPUT"},
               {CorpusOf("mine", {upload, upload}), "FILE_CORRUPT"},
               {CorpusOf("mine", {NameOf("never sent")}), "UPLOAD_NOT_FOUND"},
               {CorpusOf("mine", {"uploads/../LOCK"}), "NAME_INVALID"}};
  for (const auto& refused : cases) {
    EXPECT_EQ(client::ReasonOf(client.CreateCorpus(refused.request).status()), refused.reason)
        << refused.request.DebugString();
  }
  v1::CreateCorpusRequest text = CorpusOf("mine", {upload});
  text.set_format(".txt");
  EXPECT_EQ(client::ReasonOf(client.CreateCorpus(text).status()), "TOKENIZER_MISSING");
  text.set_format(".npy");
  EXPECT_EQ(client::ReasonOf(client.CreateCorpus(text).status()), "FILE_CORRUPT");
  EXPECT_EQ(client::ReasonOf(client.DeleteCorpus("corpora/rows")), "RESOURCE_IN_USE");
  EXPECT_EQ(client::ReasonOf(client.DeleteCorpus("corpora/none")), "CORPUS_NOT_FOUND");
}

}  // namespace
}  // namespace superpose
