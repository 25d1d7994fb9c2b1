#include "server/services/paging.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Page {
  std::vector<int> values;
  std::string next;
};

absl::StatusOr<Page> PageOf(const std::map<std::string, int>& entries, int64_t size, const std::string& token) {
  Page page;
  const auto next = PageThrough(entries, size, token, [&](int value) { page.values.push_back(value); });
  if (!next.ok()) return next.status();
  page.next = *next;
  return page;
}

TEST(PagingTest, PagesFollowEachOtherToTheEnd) {
  const std::map<std::string, int> entries = {{"a", 1}, {"b", 2}, {"c", 3}};
  const auto first = PageOf(entries, 2, "");
  ASSERT_OK(first);
  EXPECT_THAT(first->values, ElementsAre(1, 2));
  const auto second = PageOf(entries, 2, first->next);
  ASSERT_OK(second);
  EXPECT_THAT(second->values, ElementsAre(3));
  EXPECT_EQ(second->next, "");
}

TEST(PagingTest, AFullLastPageHasNoNext) {
  const auto page = PageOf({{"a", 1}, {"b", 2}}, 2, "");
  ASSERT_OK(page);
  EXPECT_EQ(page->next, "");
}

TEST(PagingTest, NothingIsOneEmptyPage) {
  const auto page = PageOf({}, 10, "");
  ASSERT_OK(page);
  EXPECT_THAT(page->values, IsEmpty());
  EXPECT_EQ(page->next, "");
}

TEST(PagingTest, AMadeUpTokenIsRefused) {
  const auto page = PageOf({{"a", 1}}, 10, "zzz");
  EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(page.status()), "PAGE_TOKEN_INVALID");
}

TEST(PageSizeTest, ZeroIsTheStandardAndThereIsAMost) {
  EXPECT_EQ(*ListPageSize(0), 100);
  EXPECT_EQ(*ListPageSize(7), 7);
  EXPECT_EQ(*ListPageSize(1'000'000), 1000);
  EXPECT_EQ(ReasonOf(ListPageSize(-1).status()), "CONFIG_INVALID");
}

}  // namespace
}  // namespace superpose
