#include "client/cli/interrupt.h"

#include <csignal>

#include "client/cpp/backoff.h"
#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

TEST(InterruptTest, CtrlCRequestsAStop) {
  InterruptGuard guard;
  EXPECT_FALSE(guard.token().stop_requested());
  raise(SIGINT);
  client::Pause(absl::Minutes(1), guard.token());
  EXPECT_TRUE(guard.token().stop_requested());
}

TEST(InterruptTest, ASecondCtrlCEndsTheProgram) {
  EXPECT_EXIT(
      {
        InterruptGuard guard;
        raise(SIGINT);
        raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

TEST(InterruptTest, WithoutCtrlCNothingIsRequestedAndAnotherGuardWorks) {
  {
    InterruptGuard unused;
  }
  InterruptGuard guard;
  raise(SIGINT);
  client::Pause(absl::Minutes(1), guard.token());
  EXPECT_TRUE(guard.token().stop_requested());
}

TEST(InterruptTest, AfterwardsCtrlCEndsTheProgramAsBefore) {
  EXPECT_EXIT(
      {
        {
          InterruptGuard guard;
        }
        raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace superpose::cli
