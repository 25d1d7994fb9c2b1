#include "client/cli/labels.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace superpose::cli {
namespace {

using ::testing::Pair;

TEST(LabelsTest, ANameAndAValue) {
  ASSERT_OK_AND_ASSIGN(const auto label, ParseLabel("stage=early"));
  EXPECT_THAT(label, Pair("stage", "early"));
}

TEST(LabelsTest, AValueMayBeEmptyOrHaveItsOwnEqualsSign) {
  ASSERT_OK_AND_ASSIGN(const auto none, ParseLabel("seen="));
  EXPECT_THAT(none, Pair("seen", ""));
  ASSERT_OK_AND_ASSIGN(const auto formula, ParseLabel("why=a=b"));
  EXPECT_THAT(formula, Pair("why", "a=b"));
}

TEST(LabelsTest, WithoutANameOrAnEqualsSignItIsNoLabel) {
  for (const char* text : {"", "=", "=x", "word"}) EXPECT_THAT(ParseLabel(text), MessageHas("NAME=VALUE")) << text;
}

TEST(LabelsTest, TheyArePrintedInTheOrderOfTheirNames) {
  google::protobuf::Map<std::string, std::string> labels;
  EXPECT_EQ(FormatLabels(labels), "");
  labels["b"] = "2";
  labels["a"] = "1";
  labels["c"] = "";
  EXPECT_EQ(FormatLabels(labels), "a=1, b=2, c=");
}

}  // namespace
}  // namespace superpose::cli
