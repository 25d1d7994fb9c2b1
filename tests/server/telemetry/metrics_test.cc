#include "server/telemetry/metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

TEST(MetricsTest, RequestsAreCountedByMethodAndCode) {
  Metrics metrics;
  metrics.RecordRequest("GetModel", absl::StatusCode::kOk, absl::Milliseconds(3));
  metrics.RecordRequest("GetModel", absl::StatusCode::kOk, absl::Milliseconds(4));
  metrics.RecordRequest("GetModel", absl::StatusCode::kNotFound, absl::Milliseconds(1));
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(superpose_requests_total{code="OK",method="GetModel"} 2)"));
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(superpose_requests_total{code="NOT_FOUND",method="GetModel"} 1)"));
}

TEST(MetricsTest, LatenciesAreAHistogramInSeconds) {
  Metrics metrics;
  metrics.RecordRequest("GetModel", absl::StatusCode::kOk, absl::Milliseconds(3));
  metrics.RecordRequest("GetModel", absl::StatusCode::kOk, absl::Seconds(3));
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(superpose_request_seconds_bucket{method="GetModel",le="0.0025"} 0)"));
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(superpose_request_seconds_bucket{method="GetModel",le="0.005"} 1)"));
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(superpose_request_seconds_bucket{method="GetModel",le="+Inf"} 2)"));
}

TEST(MetricsTest, GaugesShowTheNewestValue) {
  Metrics metrics;
  metrics.SetQueueDepth(7);
  metrics.SetQueueDepth(2);
  metrics.AddOpenRequests(1);
  metrics.AddOpenRequests(1);
  metrics.AddOpenRequests(-1);
  metrics.SetJobs("RUNNING", 1);
  metrics.SetJobs("RUNNING", 0);
  EXPECT_EQ(metrics.open_requests(), 1);
  EXPECT_THAT(metrics.Text(), HasSubstr("superpose_open_requests 1"));
  EXPECT_THAT(metrics.Text(), HasSubstr("superpose_device_queue_depth 2"));
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(superpose_jobs{state="RUNNING"} 0)"));
}

TEST(MetricsTest, TokensAndSlicesAddUp) {
  Metrics metrics;
  metrics.AddTokens("activations", 100);
  metrics.AddTokens("activations", 28);
  metrics.AddSlice();
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(superpose_tokens_total{work="activations"} 128)"));
  EXPECT_THAT(metrics.Text(), HasSubstr("superpose_device_slices_total 1"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("train_midcoder")));
}

TEST(MetricsTest, RunsAndBatchesAreHistograms) {
  Metrics metrics;
  metrics.ObserveRun(absl::Milliseconds(4), absl::Milliseconds(30));
  metrics.ObserveRun(absl::ZeroDuration(), absl::Milliseconds(20));
  metrics.ObserveBatch(3, 40);
  metrics.AddSplitBatch();
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("superpose_device_queue_seconds_sum 0.004\n"));
  EXPECT_THAT(text, HasSubstr("superpose_device_compute_seconds_sum 0.05\n"));
  EXPECT_THAT(text, HasSubstr("superpose_device_compute_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("superpose_batch_requests_bucket{le=\"2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("superpose_batch_requests_bucket{le=\"4\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("superpose_batch_tokens_sum 40\n"));
  EXPECT_THAT(text, HasSubstr("superpose_split_batches_total 1\n"));
}

TEST(MetricsTest, AnAddressThatCannotBeHadIsAnError) {
  Metrics metrics;
  ASSERT_OK_AND_ASSIGN(const auto first, metrics.Expose("127.0.0.1:0"));
  const auto second = metrics.Expose(first->address());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(second.status()), "CONFIG_INVALID");
}

TEST(MetricsTest, AnEndpointSaysWhichPortItTookAndGivesItBack) {
  const Metrics metrics;
  ASSERT_OK_AND_ASSIGN(auto endpoint, metrics.Expose("127.0.0.1:0"));
  const std::string address = endpoint->address();
  EXPECT_THAT(address, MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  endpoint.reset();
  EXPECT_OK(metrics.Expose(address));
}

}  // namespace
}  // namespace superpose
