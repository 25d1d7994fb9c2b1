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
  const auto next = PageThrough(entries, "models/", size, token, [&](int value) { page.values.push_back(value); });
  if (!next.ok()) return next.status();
  page.next = *next;
  return page;
}

TEST(PagingTest, PagesFollowEachOtherToTheEnd) {
  const std::map<std::string, int> entries = {{"models/a", 1}, {"models/b", 2}, {"models/c", 3}};
  const auto first = PageOf(entries, 2, "");
  ASSERT_OK(first);
  EXPECT_THAT(first->values, ElementsAre(1, 2));
  const auto second = PageOf(entries, 2, first->next);
  ASSERT_OK(second);
  EXPECT_THAT(second->values, ElementsAre(3));
  EXPECT_EQ(second->next, "");
}

TEST(PagingTest, AFullLastPageHasNoNext) {
  const auto page = PageOf({{"models/a", 1}, {"models/b", 2}}, 2, "");
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
  for (const char* token : {"zzz", "models", "models/", "corpora/a", "model/a", "-1"}) {
    EXPECT_THAT(PageOf({{"models/a", 1}}, 10, token), IsError(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID"))
        << token;
  }
}

TEST(PagingTest, WhenTheLastEntryOfAPageHasGoneTheNextOnesFollow) {
  std::map<std::string, int> entries = {{"models/a", 1}, {"models/b", 2}, {"models/c", 3}, {"models/d", 4}};
  ASSERT_OK_AND_ASSIGN(const Page first, PageOf(entries, 2, ""));
  entries.erase("models/b");
  ASSERT_OK_AND_ASSIGN(const Page second, PageOf(entries, 2, first.next));
  EXPECT_THAT(second.values, ElementsAre(3, 4));
  EXPECT_EQ(second.next, "");
}

TEST(PagingTest, WhenAllThatWasLeftHasGoneTheLastPageIsEmpty) {
  std::map<std::string, int> entries = {{"models/a", 1}, {"models/b", 2}};
  ASSERT_OK_AND_ASSIGN(const Page first, PageOf(entries, 1, ""));
  ASSERT_OK_AND_ASSIGN(const Page second, PageOf({}, 1, first.next));
  EXPECT_THAT(second.values, IsEmpty());
  EXPECT_EQ(second.next, "");
}

TEST(PageSizeTest, ZeroIsTheStandardAndThereIsAMost) {
  EXPECT_EQ(*ListPageSize(0), 100);
  EXPECT_EQ(*ListPageSize(7), 7);
  EXPECT_EQ(*ListPageSize(1'000'000), 1000);
  EXPECT_EQ(ReasonOf(ListPageSize(-1).status()), "CONFIG_INVALID");
}

}  // namespace
}  // namespace superpose
