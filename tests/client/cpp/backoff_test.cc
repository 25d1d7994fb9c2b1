#include "client/cpp/backoff.h"

#include "gtest/gtest.h"

namespace superpose::client {
namespace {

void ExpectBetween(absl::Duration value, absl::Duration low, absl::Duration high) {
  EXPECT_GE(value, low);
  EXPECT_LE(value, high);
}

TEST(BackoffTest, PausesDoubleUpToTheLongest) {
  Backoff backoff(absl::Seconds(1), absl::Seconds(5));
  for (int longest : {1, 2, 4, 5, 5, 5})
    ExpectBetween(backoff.Next(), absl::Seconds(longest) / 2, absl::Seconds(longest));
}

TEST(BackoffTest, AResetBeginsAgain) {
  Backoff backoff(absl::Seconds(1), absl::Seconds(64));
  for (int i = 0; i < 5; ++i) backoff.Next();
  backoff.Reset();
  ExpectBetween(backoff.Next(), absl::Seconds(0.5), absl::Seconds(1));
}

TEST(PauseTest, AStopEndsAPauseThatWouldLastForever) {
  std::stop_source source;
  source.request_stop();
  Pause(absl::Hours(100), source.get_token());
}

TEST(PauseTest, APauseWithoutAStopEnds) { Pause(absl::Milliseconds(1), {}); }

}  // namespace
}  // namespace superpose::client
