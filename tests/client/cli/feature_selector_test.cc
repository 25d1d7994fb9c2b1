#include "client/cli/feature_selector.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace superpose::cli {
namespace {

using ::testing::ElementsAre;

TEST(FeatureSelectorTest, IdsStayInTheirOrderWithTheirDuplicates) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector selector, ParseFeatures("23,17,23"));
  EXPECT_THAT(selector.ids().values(), ElementsAre(23, 17, 23));
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector one, ParseFeatures("0"));
  EXPECT_THAT(one.ids().values(), ElementsAre(0));
}

TEST(FeatureSelectorTest, ARangeLeavesItsEndOut) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector selector, ParseFeatures("100:200"));
  EXPECT_EQ(selector.range().start(), 100);
  EXPECT_EQ(selector.range().stop(), 200);
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector first, ParseFeatures(":5"));
  EXPECT_EQ(first.range().start(), 0);
  EXPECT_EQ(first.range().stop(), 5);
}

TEST(FeatureSelectorTest, ABandHasItsLowerEndAndNotItsUpperOne) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector selector, ParseFeatures("band:-3,-2.5"));
  EXPECT_EQ(selector.band().low(), -3);
  EXPECT_EQ(selector.band().high(), -2.5);
  EXPECT_FALSE(selector.band().open());
  EXPECT_EQ(selector.band().by(), v1::FREQUENCY_SOURCE_UNSPECIFIED);
}

TEST(FeatureSelectorTest, AnEndOfABandMayBeLeftOut) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector rare, ParseFeatures("band:,-5"));
  EXPECT_FALSE(rare.band().has_low());
  EXPECT_EQ(rare.band().high(), -5);
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector frequent, ParseFeatures("band:-2,"));
  EXPECT_EQ(frequent.band().low(), -2);
  EXPECT_FALSE(frequent.band().has_high());
}

TEST(FeatureSelectorTest, TheLowerEndOfABandMayBeOpen) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector open, ParseFeatures("band:-3,-2.5,open"));
  EXPECT_TRUE(open.band().open());
  EXPECT_EQ(open.band().low(), -3);
  EXPECT_EQ(open.band().high(), -2.5);
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector above, ParseFeatures("band:-3,,open,snapshot"));
  EXPECT_TRUE(above.band().open());
  EXPECT_FALSE(above.band().has_high());
  EXPECT_EQ(above.band().by(), v1::FREQUENCY_SOURCE_SNAPSHOT);
}

TEST(FeatureSelectorTest, LiveIsAboveAThreshold) {
  for (const char* text : {"live", "live:-4"}) {
    ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector selector, ParseFeatures(text));
    EXPECT_EQ(selector.band().low(), -4);
    EXPECT_TRUE(selector.band().open());
    EXPECT_FALSE(selector.band().has_high());
  }
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector other, ParseFeatures("live:-5.5"));
  EXPECT_EQ(other.band().low(), -5.5);
}

TEST(FeatureSelectorTest, ABandMaySayWhoseFrequenciesItMeans) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector band, ParseFeatures("band:-3,-2,snapshot"));
  EXPECT_EQ(band.band().by(), v1::FREQUENCY_SOURCE_SNAPSHOT);
  EXPECT_EQ(band.band().high(), -2);
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSelector live, ParseFeatures("live:-3,training"));
  EXPECT_EQ(live.band().by(), v1::FREQUENCY_SOURCE_TRAINING);
  EXPECT_EQ(live.band().low(), -3);
}

TEST(FeatureSelectorTest, AnythingElseIsRefusedWithTheForms) {
  for (const char* text : {"",
                           " ",
                           ",",
                           "x",
                           "17,x",
                           "-1",
                           "17,-2",
                           "1.5",
                           "99999999999",
                           "5:",
                           ":",
                           "a:b",
                           "-1:5",
                           "1:2:3",
                           "band",
                           "band:",
                           "band:,",
                           "band:-3",
                           "band:-3,open",
                           "band:open",
                           "band:-3,-2,open,open",
                           "band:-3,-2,snapshot,open",
                           "live:-4,open",
                           "band:-3,-2,-1",
                           "band:-3,-2,me",
                           "band:nan,-2",
                           "band:-inf,-2",
                           "live:x",
                           "live:-4,-3",
                           "live-4",
                           "lively",
                           "live:-4,snapshot,training"}) {
    EXPECT_THAT(ParseFeatures(text), MessageHas("chooses no features: write 17,23 or 100:200")) << text;
  }
}

TEST(FeatureSelectorTest, WhatHoldsNothingIsRefused) {
  EXPECT_THAT(ParseFeatures("5:5"), MessageHas("is empty"));
  EXPECT_THAT(ParseFeatures("7:5"), MessageHas("is empty"));
  EXPECT_THAT(ParseFeatures("band:-2,-3"), MessageHas("the lower end of a band comes first"));
  EXPECT_THAT(ParseFeatures("band:-2,-2"), MessageHas("is empty"));
}

}  // namespace
}  // namespace superpose::cli
