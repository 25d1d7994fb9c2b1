#include "server/runtime/long_lane.h"

#include <sys/resource.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;

// A unit that is under way until it is released.
class HeldUnit {
 public:
  explicit HeldUnit(LongLane* lane) {
    lane->Post([this] {
      begun_.Notify();
      released_.Wait();
      ended_.Notify();
    });
    begun_.Wait();
  }
  void Release() { released_.Notify(); }
  void WaitForEnd() { ended_.Wait(); }

 private:
  Notification begun_;
  Notification released_;
  Notification ended_;
};

TEST(LongLaneTest, UnitsRunOneAfterTheOtherOnAThreadOfItsOwn) {
  LongLane lane(1);
  std::vector<std::string> ran;  // without a lock: they are never two at once
  std::thread::id thread;
  Notification last;
  HeldUnit held(&lane);
  lane.Post([&] {
    ran.emplace_back("first");
    thread = std::this_thread::get_id();
  });
  lane.Post([&] { ran.emplace_back("second"); });
  lane.Post([&] { last.Notify(); });
  held.Release();
  last.Wait();
  EXPECT_THAT(ran, ElementsAre("first", "second"));
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(LongLaneTest, OthersGoFirstWhereBothWantTheProcessors) {
  LongLane lane(1);
  int priority = 0;
  Notification asked;
  lane.Post([&] {
    priority = getpriority(PRIO_PROCESS, 0);
    asked.Notify();
  });
  asked.Wait();
  EXPECT_GT(priority, getpriority(PRIO_PROCESS, 0));
}

TEST(LongLaneTest, AStopLetsGoOfWhatWaitsAndSaysWhetherAUnitIsStillUnderWay) {
  LongLane lane(1);
  HeldUnit held(&lane);
  auto waiting = std::make_shared<bool>(false);
  lane.Post([waiting] { *waiting = true; });
  EXPECT_FALSE(lane.Stop(absl::InfinitePast()));
  EXPECT_EQ(waiting.use_count(), 1) << "what it held is let go of at once";
  lane.Post([waiting] { *waiting = true; });
  EXPECT_EQ(waiting.use_count(), 1) << "nothing more is taken";
  held.Release();
  EXPECT_TRUE(lane.Stop(absl::InfiniteFuture())) << "it waits for the one under way";
  EXPECT_FALSE(*waiting);
}

TEST(LongLaneTest, ItsEndWaitsForTheUnitUnderWay) {
  std::optional<LongLane> lane(1);
  HeldUnit held(&*lane);
  std::thread releaser([&] { held.Release(); });
  lane.reset();
  held.WaitForEnd();  // at once: it has ended
  releaser.join();
}

TEST(LongLaneTest, AnIdleOneStopsAtOnce) {
  LongLane lane(1);
  EXPECT_TRUE(lane.Stop(absl::InfinitePast()));
}

}  // namespace
}  // namespace superpose
