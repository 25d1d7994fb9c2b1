#include "client/cli/arguments.h"

#include "tests/client/matchers.h"

namespace superpose::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ArgumentsTest, AShortNameGetsItsCollection) {
  EXPECT_EQ(FullName("jobs", "ab12"), "jobs/ab12");
  EXPECT_EQ(FullName("jobs", "jobs/ab12"), "jobs/ab12");
  EXPECT_EQ(FullName("jobs", "midcoders/x"), "midcoders/x");
}

TEST(ArgumentsTest, CountsSayWhatTheyMustBe) {
  for (const char* good : {"1", "20", "9000000000"}) EXPECT_EQ(AtLeast(1)(good), "") << good;
  EXPECT_EQ(AtLeast(0)("0"), "");
  EXPECT_EQ(AtLeast(1)("0"), "'0' is no whole number of 1 or more");
  for (const char* bad : {"-1", "1.5", "many", "", "1x"}) EXPECT_NE(AtLeast(0)(bad), "") << bad;
}

TEST(ArgumentsTest, IdsAreSeparatedByCommasOrSpaces) {
  ASSERT_OK_AND_ASSIGN(std::vector<int32_t> ids, ParseIds("1,2, 30  4"));
  EXPECT_THAT(ids, ElementsAre(1, 2, 30, 4));
  ASSERT_OK_AND_ASSIGN(std::vector<int32_t> none, ParseIds(""));
  EXPECT_THAT(none, IsEmpty());
}

TEST(ArgumentsTest, IdsThatAreNoNumbersAreRefused) {
  for (const char* text : {"one", "1;2", "1.5", "99999999999"}) {
    EXPECT_EQ(ParseIds(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ArgumentsTest, ATimeoutIsSecondsOrHasItsUnit) {
  EXPECT_EQ(*ParseTimeout("90"), absl::Seconds(90));
  EXPECT_EQ(*ParseTimeout("0.5"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseTimeout("10m"), absl::Minutes(10));
  EXPECT_EQ(*ParseTimeout("1h30m"), absl::Minutes(90));
}

TEST(ArgumentsTest, TimeoutsThatAreNoneAreRefused) {
  for (const char* text : {"", "soon", "0", "-5", "-1m", "10 minutes"}) {
    EXPECT_EQ(ParseTimeout(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ArgumentsTest, SlicesAreWrittenAsInNumPy) {
  ASSERT_OK_AND_ASSIGN(std::vector<client::Slice> slices, ParseSlices(" 2:5, :, :7 ,[3,0, 3], 9"));
  ASSERT_EQ(slices.size(), 5);
  EXPECT_EQ(slices[0].ToProto().range().start(), 2);
  EXPECT_EQ(slices[0].ToProto().range().stop(), 5);
  EXPECT_EQ(slices[1].ToProto().selection_case(), v1::DimensionSlice::SELECTION_NOT_SET);
  EXPECT_EQ(slices[2].ToProto().range().start(), 0);
  EXPECT_EQ(slices[2].ToProto().range().stop(), 7);
  EXPECT_THAT(slices[3].ToProto().indices().values(), ElementsAre(3, 0, 3));
  EXPECT_EQ(slices[4].ToProto().range().start(), 9);
  EXPECT_EQ(slices[4].ToProto().range().stop(), 10);
}

TEST(ArgumentsTest, SlicesThatAreNoneAreRefusedWithTheForm) {
  for (const char* text :
       {"", "x", "3:", "5:2", "-1:3", "-1", "1:2:3", "[]", "[1", "1]", "[a]", "0:1,", "9223372036854775808"}) {
    EXPECT_EQ(ParseSlices(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_THAT(ParseSlices("3:"), MessageHas("START:STOP"));
}

}  // namespace
}  // namespace superpose::cli
