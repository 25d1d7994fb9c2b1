#include "server/runtime/fair_rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/runtime/device_executor.h"

namespace superpose {
namespace {

using testing::ElementsAre;

class NamedWork final : public SlicedWork {
 public:
  explicit NamedWork(std::string name) : name_(std::move(name)) {}
  const std::string& name() const { return name_; }
  bool RunSlice(const Budget& /*budget*/) override { return true; }

 private:
  const std::string name_;
};

FairRotation::Turn Work(const std::string& user, const std::string& name) {
  return {user, std::make_shared<NamedWork>(name)};
}

std::string NameOf(const FairRotation::Turn& turn) { return static_cast<const NamedWork&>(*turn.work).name(); }

// Takes so many turns, and puts each back after it, as the executor does.
std::vector<std::string> Turns(FairRotation& rotation, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    FairRotation::Turn turn = rotation.Take();
    names.push_back(NameOf(turn));
    rotation.Add(std::move(turn));
  }
  return names;
}

TEST(FairRotationTest, IsEmptyUntilSomethingIsAddedAndAgainWhenAllIsTaken) {
  FairRotation rotation;
  EXPECT_TRUE(rotation.empty());
  rotation.Add(Work("ada", "a1"));
  rotation.Add(Work("ada", "a2"));
  EXPECT_FALSE(rotation.empty());
  EXPECT_EQ(NameOf(rotation.Take()), "a1");
  EXPECT_FALSE(rotation.empty());
  EXPECT_EQ(NameOf(rotation.Take()), "a2");
  EXPECT_TRUE(rotation.empty());
}

TEST(FairRotationTest, ATurnSaysWhoseItIs) {
  FairRotation rotation;
  rotation.Add(Work("ada", "a1"));
  EXPECT_EQ(rotation.Take().user, "ada");
}

TEST(FairRotationTest, GoesAroundUsersWhateverTheNumberOfTheirWorks) {
  FairRotation rotation;
  for (const char* name : {"a1", "a2", "a3"}) rotation.Add(Work("ada", name));
  rotation.Add(Work("bob", "b1"));
  EXPECT_THAT(Turns(rotation, 8), ElementsAre("a1", "b1", "a2", "b1", "a3", "b1", "a1", "b1"));
}

TEST(FairRotationTest, AUserWhoJoinsWaitsForTheOthersOnceOnly) {
  FairRotation rotation;
  rotation.Add(Work("ada", "a1"));
  rotation.Add(Work("bob", "b1"));
  EXPECT_THAT(Turns(rotation, 1), ElementsAre("a1"));
  rotation.Add(Work("cyd", "c1"));
  EXPECT_THAT(Turns(rotation, 4), ElementsAre("b1", "a1", "c1", "b1"));
}

TEST(FairRotationTest, AWorkThatIsNotPutBackLeavesItsUsersPlaceToTheNext) {
  FairRotation rotation;
  for (const char* name : {"a1", "a2"}) rotation.Add(Work("ada", name));
  rotation.Add(Work("bob", "b1"));
  EXPECT_EQ(NameOf(rotation.Take()), "a1");
  EXPECT_THAT(Turns(rotation, 4), ElementsAre("b1", "a2", "b1", "a2"));
}

}  // namespace
}  // namespace superpose
