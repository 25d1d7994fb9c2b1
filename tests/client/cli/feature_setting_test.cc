#include "client/cli/feature_setting.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace superpose::cli {
namespace {

using ::testing::ElementsAre;

TEST(FeatureSettingTest, ALayerAFeatureAndAValue) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSetting setting, ParseSetting("2:17=5.25", "models/demo"));
  EXPECT_EQ(setting.transcoder(), "models/demo/layers/2");
  EXPECT_EQ(setting.feature_id(), 17);
  EXPECT_EQ(setting.value(), 5.25F);
  EXPECT_TRUE(setting.positions().empty());
}

TEST(FeatureSettingTest, PositionsMayFollow) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSetting setting, ParseSetting("0:0=0@3,4,0", "models/-"));
  EXPECT_EQ(setting.value(), 0);
  EXPECT_THAT(setting.positions(), ElementsAre(3, 4, 0));
}

TEST(FeatureSettingTest, ATranscodersNameMayStandInPlaceOfTheLayer) {
  ASSERT_OK_AND_ASSIGN(const v1::FeatureSetting setting, ParseSetting("models/m/transcoders/a:b:7=1e-3", "models/-"));
  EXPECT_EQ(setting.transcoder(), "models/m/transcoders/a:b");
  EXPECT_EQ(setting.feature_id(), 7);
  EXPECT_FLOAT_EQ(setting.value(), 1e-3F);
}

TEST(FeatureSettingTest, AnythingElseIsRefusedWithTheForm) {
  for (const char* text :
       {"", "=", "2:17", "17=5", ":17=5", "2:=5", "2:17=", "2:17=x", "2:17=-1", "2:17=nan", "2:17=inf", "2:-1=5",
        "-1:2=5", "two:17=5", "2:17=5@", "2:17=5@x", "2:1.5=2", "2:99999999999=1"}) {
    const absl::StatusOr<v1::FeatureSetting> setting = ParseSetting(text, "models/-");
    ASSERT_FALSE(setting.ok()) << text;
    EXPECT_THAT(setting, MessageHas("LAYER:FEATURE=VALUE")) << text;
  }
}

}  // namespace
}  // namespace superpose::cli
