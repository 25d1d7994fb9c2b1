#include "server/services/device_parts.h"

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "server/runtime/reasons.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;

class DevicePartsTest : public testing::Test {
 protected:
  // Runs to its end and returns what it ended with; fails when it ends twice.
  absl::Status Run(PartedRequest request) {
    absl::Status end;
    Notification done;
    request.finish = [&](const absl::Status& status) {
      EXPECT_FALSE(done.HasBeenNotified());
      end = status;
      done.Notify();
    };
    RunInParts(&executor_, std::move(request));
    done.Wait();
    // Whatever it left behind would run before this.
    EXPECT_OK(executor_.RunAndWait([] { return absl::OkStatus(); }));
    return end;
  }

  FakeClock clock_;
  Metrics metrics_;
  DeviceExecutor executor_{{.max_waiting_requests = 1}, &clock_, &metrics_};
  std::vector<std::string> ran_;
};

TEST_F(DevicePartsTest, RunsUntilThePartThatIsTheLast) {
  PartedRequest request;
  request.run_part = [this]() -> absl::StatusOr<bool> {
    ran_.emplace_back("part");
    return ran_.size() == 3;
  };
  EXPECT_OK(Run(std::move(request)));
  EXPECT_THAT(ran_, ElementsAre("part", "part", "part"));
}

TEST_F(DevicePartsTest, OthersGetTheirTurnInBetween) {
  PartedRequest request;
  request.run_part = [this]() -> absl::StatusOr<bool> {
    ran_.emplace_back("part");
    if (ran_.size() == 1) {
      DeviceRequest other;
      other.run = [this](const absl::Status&) { ran_.emplace_back("other"); };
      EXPECT_OK(executor_.Submit(std::move(other)));
    }
    return ran_.size() == 3;
  };
  EXPECT_OK(Run(std::move(request)));
  EXPECT_THAT(ran_, ElementsAre("part", "other", "part"));
}

TEST_F(DevicePartsTest, APartThatFailsIsTheLast) {
  PartedRequest request;
  request.run_part = [this]() -> absl::StatusOr<bool> {
    ran_.emplace_back("part");
    if (ran_.size() == 2) return InternalError(reason::kComputeFailed, "no");
    return false;
  };
  EXPECT_THAT(Run(std::move(request)), IsError(absl::StatusCode::kInternal, reason::kComputeFailed));
  EXPECT_EQ(ran_.size(), 2U);
}

TEST_F(DevicePartsTest, ACancelIsNoticedBeforeTheNextPart) {
  PartedRequest request;
  request.run_part = [this]() -> absl::StatusOr<bool> {
    ran_.emplace_back("part");
    return false;
  };
  request.is_cancelled = [this] { return ran_.size() == 2; };
  EXPECT_EQ(Run(std::move(request)).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ran_.size(), 2U);
}

TEST_F(DevicePartsTest, ADeadlineIsNoticedBeforeTheNextPart) {
  PartedRequest request;
  request.deadline = clock_.Now() + absl::Seconds(1);
  request.run_part = [this]() -> absl::StatusOr<bool> {
    ran_.emplace_back("part");
    clock_.Advance(absl::Seconds(2));
    return false;
  };
  EXPECT_THAT(Run(std::move(request)), IsError(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed));
  EXPECT_EQ(ran_.size(), 1U);
}

TEST_F(DevicePartsTest, ItIsTurnedAwayOnceTheServerStops) {
  executor_.StopAdmitting();
  PartedRequest request;
  request.run_part = []() -> absl::StatusOr<bool> { return true; };
  EXPECT_THAT(Run(std::move(request)), IsError(absl::StatusCode::kUnavailable, reason::kShuttingDown));
}

}  // namespace
}  // namespace superpose
