#include "client/cli/progress.h"

#include <sstream>

#include "client/cli/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Job Running(int64_t done, int64_t total = 1000) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_attempt(1);
  job.mutable_progress()->set_done(done);
  job.mutable_progress()->set_total(total);
  job.mutable_progress()->set_unit("steps");
  return job;
}

v1::Job InState(v1::JobState state) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_state(state);
  return job;
}

// What a printer writes for these jobs, one after the other.
std::string Printed(const std::vector<v1::Job>& jobs, int width) {
  std::ostringstream out, err;
  Terminal terminal{out, err, 0, width};
  {
    ProgressPrinter printer(&terminal);
    for (const v1::Job& job : jobs) printer.Show(job);
  }
  EXPECT_EQ(out.str(), "");
  return err.str();
}

TEST(ProgressBarTest, TheBarIsAsFullAsTheWork) {
  v1::Job job = Running(500);
  (*job.mutable_metrics())["loss"] = 0.0123;
  job.mutable_time_left()->set_seconds(12);
  EXPECT_EQ(ProgressBar(job, 120),
            "jobs/1  [###############...............]  50%  500/1,000 steps  loss 0.0123  12s left");
}

TEST(ProgressBarTest, AHundredPercentMeansAll) {
  EXPECT_THAT(ProgressBar(Running(999), 100), HasSubstr(" 99%"));
  EXPECT_THAT(ProgressBar(Running(1000), 100), HasSubstr("[##############################] 100%"));
  EXPECT_THAT(ProgressBar(Running(1001), 100), HasSubstr("] 100%"));
}

TEST(ProgressBarTest, TheLineFitsAnyWidth) {
  v1::Job job = Running(500);
  (*job.mutable_metrics())["loss"] = 0.0123;
  job.mutable_time_left()->set_seconds(12);
  for (int width = 1; width < 100; ++width) EXPECT_LE(DisplayWidth(ProgressBar(job, width)), width) << width;
}

TEST(ProgressBarTest, ANarrowTerminalLosesTheBarBeforeTheFigures) {
  std::string line = ProgressBar(Running(500), 35);
  EXPECT_THAT(line, Not(HasSubstr("[")));
  EXPECT_THAT(line, HasSubstr("50%  500/1,000 steps"));
}

TEST(ProgressBarTest, AQueuedJobSaysHowManyGoBefore) {
  v1::Job job = InState(v1::JOB_STATE_QUEUED);
  job.set_queue_position(3);
  EXPECT_EQ(ProgressBar(job, 80), "jobs/1  queued  3 before it");
}

TEST(ProgressBarTest, AnUnknownTotalHasNoBar) { EXPECT_EQ(ProgressBar(Running(20, 0), 80), "jobs/1    20 steps"); }

TEST(ProgressLineTest, ALineSaysItInWords) {
  v1::Job job = Running(420);
  job.set_attempt(2);
  EXPECT_EQ(ProgressLine(job), "jobs/1: running, 420/1,000 steps (42%), start 2");
  EXPECT_EQ(ProgressLine(InState(v1::JOB_STATE_SUCCEEDED)), "jobs/1: succeeded");
}

TEST(ProgressPrinterTest, ElsewhereALineIsPrintedForEveryTenthOfTheWork) {
  std::vector<v1::Job> jobs = {InState(v1::JOB_STATE_QUEUED)};
  for (int done = 0; done <= 1000; ++done) jobs.push_back(Running(done));
  jobs.push_back(InState(v1::JOB_STATE_SUCCEEDED));
  std::string text = Printed(jobs, 0);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 11 + 1);
  EXPECT_THAT(text, HasSubstr("300/1,000"));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
}

TEST(ProgressPrinterTest, ARestartOfTheServerIsPrinted) {
  v1::Job again = Running(10);
  again.set_attempt(2);
  EXPECT_THAT(Printed({Running(10), Running(11), again}, 0),
              "jobs/1: running, 10/1,000 steps (1%)\njobs/1: running, 10/1,000 steps (1%), start 2\n");
}

TEST(ProgressPrinterTest, ATerminalsLineIsWrittenOverAndLeftAtTheEnd) {
  std::string text = Printed({Running(1), Running(1), Running(2)}, 80);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 2);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.back(), '\n');
}

TEST(ProgressPrinterTest, WithoutAJobNothingIsPrinted) {
  EXPECT_EQ(Printed({}, 80), "");
  EXPECT_EQ(Printed({}, 0), "");
}

}  // namespace
}  // namespace superpose::cli
