#include <sys/wait.h>

#include <csignal>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ConnectTest = TinyServerTest;

TEST_F(ConnectTest, AConnectionKnowsWhatTheServerIs) {
  EXPECT_EQ(client().info().device(), "cpu");
  EXPECT_EQ(client().info().max_unary_tokens(), 64);
  EXPECT_FALSE(client().info().version().empty());
  ASSERT_OK_AND_ASSIGN(v1::GetServerInfoResponse now, client().GetServerInfo());
  EXPECT_EQ(now.start_time().seconds(), client().info().start_time().seconds());
}

TEST_F(ConnectTest, AServerThatIsNotThereIsNamed) {
  // Port 1 is reserved: nobody listens there.
  absl::Status status = Client::Connect("127.0.0.1:1").status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kUnavailable, ""));
  EXPECT_THAT(status, MessageHas("127.0.0.1:1"));
}

TEST_F(ConnectTest, AnAddressThatIsNoneIsUnavailable) {
  EXPECT_EQ(Client::Connect("no such address").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ConnectTest, AUserWhoseNameCannotTravelIsRefused) {
  for (const char* user : {"line\nbreak", "J\xc3\xbcrgen"}) {
    EXPECT_THAT(server().Connect({.user = user}), FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
  }
}

TEST_F(ConnectTest, ADeadlineThatHasPassedIsExceeded) {
  EXPECT_EQ(server().Connect({.deadline = absl::Seconds(-1)}).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ConnectTest, AServerThatDoesNotAnswerExceedsTheDeadline) {
  ASSERT_OK_AND_ASSIGN(Client impatient, server().Connect({.deadline = absl::Milliseconds(300)}));
  kill(server().process().pid(), SIGSTOP);
  siginfo_t stopped;
  ASSERT_EQ(waitid(P_PID, server().process().pid(), &stopped, WSTOPPED | WNOWAIT), 0);
  absl::Status status = impatient.ListModels().status();
  kill(server().process().pid(), SIGCONT);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ConnectTest, EveryKindOfCallSaysThatTheServerIsGone) {
  server().process().Kill();
  std::vector<std::pair<const char*, absl::Status>> ends;
  ends.emplace_back("a read", client().GetModel().status());
  ends.emplace_back("a deletion", client().DeleteCorpus("corpora/x"));
  ends.emplace_back("a corpus", client().CreateCorpus({}).status());
  ends.emplace_back("a tensor", client().ReadTensor("models/tiny", "W_in").status());
  ends.emplace_back("activations", client().StreamActivations({}, [](const auto&) { return absl::OkStatus(); }));
  ends.emplace_back("what an MLP computes", client().GetMlpTensors({}).status());
  ends.emplace_back("a job", client().WatchJob("jobs/x", {}).status());
  ends.emplace_back("a file", client().ExportMidcoder("midcoders/x", server().folder() / "x.pt"));
  for (const auto& [what, status] : ends) {
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kUnavailable, "")) << what;
    EXPECT_THAT(status, MessageHas(absl::StrCat(server().address(), ": is it running"))) << what;
  }
  ASSERT_OK(server().StartAgain());
}

TEST_F(ConnectTest, AClientFindsARestartedServerAgain) {
  server().process().Kill();
  EXPECT_EQ(client().GetJob("jobs/x").status().code(), absl::StatusCode::kUnavailable);
  ASSERT_OK(server().StartAgain());
  ASSERT_OK_AND_ASSIGN(Client another, server().Connect());
  EXPECT_OK(another.ListModels());
  // The first client tries again after a pause of at most two seconds.
  absl::Status status = absl::UnavailableError("not tried");
  for (int attempt = 0; attempt < 10 && absl::IsUnavailable(status); ++attempt) status = client().ListModels().status();
  EXPECT_OK(status);
}

}  // namespace
}  // namespace superpose::client
