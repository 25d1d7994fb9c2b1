#include "server/runtime/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace superpose {
namespace {

using testing::ElementsAre;

TEST(WorkerTest, RunsWhatIsPostedInOrderAndAllOfItBeforeItEnds) {
  std::vector<int> ran;
  {
    Worker worker;
    for (int i = 0; i < 5; ++i) worker.Post([&ran, i] { ran.push_back(i); });
  }
  EXPECT_THAT(ran, ElementsAre(0, 1, 2, 3, 4));
}

TEST(WorkerTest, RunsOnOneThreadOfItsOwn) {
  std::vector<std::thread::id> threads;
  {
    Worker worker;
    for (int i = 0; i < 2; ++i) worker.Post([&] { threads.push_back(std::this_thread::get_id()); });
  }
  ASSERT_EQ(threads.size(), 2u);
  EXPECT_EQ(threads[0], threads[1]);
  EXPECT_NE(threads[0], std::this_thread::get_id());
}

TEST(WorkerTest, WakesFromWaitingForEachTask) {
  Worker worker;
  for (int i = 0; i < 100; ++i) {
    Notification ran;
    worker.Post([&] { ran.Notify(); });
    ran.Wait();
  }
}

TEST(WorkerTest, RunsWhatATaskPostsWhileTheWorkerEnds) {
  Notification ending;
  bool ran = false;
  {
    Worker worker;
    worker.Post([&] {
      ending.Wait();
      worker.Post([&] { ran = true; });
    });
    ending.Notify();
  }
  EXPECT_TRUE(ran);
}

TEST(WorkerTest, LetsGoOfATaskOnceItHasRun) {
  Worker worker;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  worker.Post([held = std::move(held)] {});
  Notification after;
  worker.Post([&] { after.Notify(); });
  after.Wait();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace superpose
