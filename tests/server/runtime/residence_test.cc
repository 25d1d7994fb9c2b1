#include "server/runtime/residence.h"

#include <string>

#include "tests/status_matchers.h"

namespace superpose {
namespace {

class ResidenceTest : public testing::Test {
 protected:
  std::shared_ptr<Residence> Reside() {
    auto memory = budget_.Reserve(MemoryUse::kLoaded, 100, "a thing");
    EXPECT_OK(memory);
    return std::make_shared<Residence>(*std::move(memory));
  }
  // Counts when it goes, and what is used then.
  std::shared_ptr<void> Token() {
    return {nullptr, [this](void*) {
              ++released_;
              used_at_release_ = budget_.used_bytes();
            }};
  }

  MemoryBudget budget_{1000};
  int released_ = 0;
  int64_t used_at_release_ = -1;
};

TEST_F(ResidenceTest, MemoryIsGivenBackWhenTheLastHolderLetsGo) {
  std::shared_ptr<const std::string> thing =
      WithResidence<std::string>(std::make_shared<std::string>("weights"), Reside());
  EXPECT_EQ(*thing, "weights");
  std::shared_ptr<const std::string> other = thing;
  thing.reset();
  EXPECT_EQ(budget_.used_bytes(), 100);
  other.reset();
  EXPECT_EQ(budget_.used_bytes(), 0);
}

TEST_F(ResidenceTest, ATokenGoesAfterTheMemory) {
  auto residence = Reside();
  auto thing = WithResidence<std::string>(std::make_shared<std::string>("weights"), residence);
  residence->KeepUntilRelease(Token());
  residence.reset();
  EXPECT_EQ(released_, 0);
  thing.reset();
  EXPECT_EQ(released_, 1);
  EXPECT_EQ(used_at_release_, 0);
}

TEST_F(ResidenceTest, ATokenOfSeveralGoesAfterTheLast) {
  auto first = Reside(), second = Reside();
  {
    const std::shared_ptr<void> token = Token();
    first->KeepUntilRelease(token);
    second->KeepUntilRelease(token);
  }
  first.reset();
  EXPECT_EQ(released_, 0);
  second.reset();
  EXPECT_EQ(released_, 1);
}

}  // namespace
}  // namespace superpose
