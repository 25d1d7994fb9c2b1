#include <pwd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/client/cli/run.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class JobVerbsTest : public TinyServerTest {
 protected:
  static Outcome Ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", server().address()});
    return RunProgram(arguments);
  }
  std::string Submit(const v1::MidcoderTrainingSpec& spec) const {
    absl::StatusOr<v1::Job> job = client().TrainMidcoder(spec);
    EXPECT_OK(job);
    return job.ok() ? job->name() : "";
  }
};

// Presses Ctrl-C as soon as something is written.
class InterruptOnWrite : public std::stringbuf {
 protected:
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    if (!pressed_) raise(SIGINT);
    pressed_ = true;
    return std::stringbuf::xsputn(text, size);
  }

 private:
  bool pressed_ = false;
};

TEST_F(JobVerbsTest, JobsAreListedByStateAndOwner) {
  std::string name = Submit(ShortTraining());
  ASSERT_OK(client().WaitForJob(name));
  EXPECT_THAT(Ask({"jobs"}).out, HasSubstr(name));
  EXPECT_THAT(Ask({"jobs", "--state", "succeeded", "--owner", "tester"}).out, HasSubstr("20/20 steps"));
  EXPECT_THAT(Ask({"jobs", "--state", "failed"}).out, Not(HasSubstr(name)));
  EXPECT_THAT(Ask({"jobs", "--owner", "nobody"}).out, Not(HasSubstr(name)));
  EXPECT_EQ(json::parse(Ask({"jobs", "--limit", "1", "--json"}).out)["jobs"].size(), 1);
}

TEST_F(JobVerbsTest, AJobIsShown) {
  std::string name = Submit(ShortTraining());
  ASSERT_OK(client().WaitForJob(name));
  Outcome outcome = Ask({"job", name});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("succeeded"));
  EXPECT_THAT(outcome.out, HasSubstr("train models/tiny/transcoders/layer1"));
  EXPECT_THAT(outcome.out, HasSubstr("midcoders/"));
  EXPECT_EQ(json::parse(Ask({"job", name, "--json"}).out)["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(Ask({"job", "none"}).code, 3);
}

// Takes $USER away, until the end of a scope.
class WithoutUserVariable {
 public:
  WithoutUserVariable() {
    if (const char* user = std::getenv("USER")) before_ = user;
    unsetenv("USER");
  }
  ~WithoutUserVariable() {
    if (before_) setenv("USER", before_->c_str(), 1);
  }

 private:
  std::optional<std::string> before_;
};

TEST_F(JobVerbsTest, TheOwnerIsTheAccountWhereTheEnvironmentNamesNobody) {
  WithoutUserVariable without;
  Outcome outcome = Ask({"train", "--layer", "1", "--corpus", "rows", "--steps", "1", "--detach", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const passwd* account = getpwuid(geteuid());
  EXPECT_EQ(json::parse(outcome.out)["owner"], account == nullptr ? "anonymous" : account->pw_name);
}

TEST_F(JobVerbsTest, WatchingEndsWithTheJob) {
  std::string name = Submit(ShortTraining());
  Outcome outcome = Ask({"watch", name});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(name + ": succeeded"));
  EXPECT_THAT(outcome.out, HasSubstr("result"));
  EXPECT_EQ(json::parse(Ask({"watch", name, "--json"}).out)["name"], name);
}

TEST_F(JobVerbsTest, WatchingACancelledJobHasItsOwnExitCode) {
  std::string name = Submit(EndlessTraining());
  Outcome cancelled = Ask({"cancel", name});
  EXPECT_EQ(cancelled.code, 0) << cancelled.err;
  EXPECT_THAT(cancelled.out, HasSubstr(name));
  Outcome outcome = Ask({"watch", name});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("JOB_CANCELLED"));
  Outcome again = Ask({"cancel", name});
  EXPECT_EQ(again.code, 0) << "cancelling twice is no error: " << again.err;
}

TEST_F(JobVerbsTest, ATimeoutEndsTheWatchAndNotTheJob) {
  std::string name = Submit(EndlessTraining());
  Outcome outcome = Ask({"watch", name, "--timeout", "2"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_THAT(outcome.err, HasSubstr("it goes on"));
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().GetJob(name));
  EXPECT_FALSE(client::IsFinished(job));
  EXPECT_EQ(Ask({"cancel", name}).code, 0);
}

TEST_F(JobVerbsTest, CtrlCEndsTheWatchAndSaysThatTheJobGoesOn) {
  std::string name = Submit(EndlessTraining());
  InterruptOnWrite err_buffer;
  std::ostream err(&err_buffer);
  std::ostringstream out;
  Terminal terminal{out, err, 0, 0};
  EXPECT_EQ(RunCli({"watch", name, "--server", server().address()}, &terminal), 130);
  EXPECT_THAT(err_buffer.str(), HasSubstr(name + " goes on"));
  EXPECT_EQ(out.str(), "");
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().GetJob(name));
  EXPECT_FALSE(client::IsFinished(job));
  EXPECT_EQ(Ask({"cancel", name}).code, 0);
}

TEST_F(JobVerbsTest, AJobThatHasEndedIsDeleted) {
  std::string name = Submit(EndlessTraining());
  Outcome early = Ask({"delete", name});
  EXPECT_EQ(early.code, 1);
  EXPECT_THAT(early.err, HasSubstr("JOB_NOT_FINISHED"));
  EXPECT_EQ(Ask({"cancel", name}).code, 0);
  EXPECT_EQ(Ask({"watch", name}).code, 5);
  EXPECT_EQ(Ask({"delete", name}).code, 0);
  EXPECT_EQ(Ask({"delete", name}).code, 3);
}

}  // namespace
}  // namespace superpose::cli
