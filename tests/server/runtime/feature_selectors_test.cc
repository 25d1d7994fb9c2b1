#include "server/runtime/feature_selectors.h"

#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::ElementsAre;

TEST(FeatureSelectorsTest, NothingSetMeansAll) {
  ASSERT_OK_AND_ASSIGN(const FeatureSelection selection, SelectionOf(v1::FeatureSelector()));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(selection));
}

TEST(FeatureSelectorsTest, IdsKeepTheirOrderAndDuplicates) {
  v1::FeatureSelector selector;
  for (const int id : {5, 2, 5, -1}) selector.mutable_ids()->add_values(id);
  ASSERT_OK_AND_ASSIGN(const FeatureSelection selection, SelectionOf(selector));
  EXPECT_THAT(std::get<std::vector<int64_t>>(selection), ElementsAre(5, 2, 5, -1));
  selector.mutable_ids()->clear_values();
  ASSERT_OK_AND_ASSIGN(const FeatureSelection none, SelectionOf(selector));
  EXPECT_TRUE(std::get<std::vector<int64_t>>(none).empty()) << "no ids are none, not all";
}

TEST(FeatureSelectorsTest, RangesAndBands) {
  v1::FeatureSelector selector;
  selector.mutable_range()->set_start(3);
  selector.mutable_range()->set_stop(7);
  ASSERT_OK_AND_ASSIGN(FeatureSelection selection, SelectionOf(selector));
  EXPECT_EQ(std::get<FeatureRange>(selection).start, 3);
  EXPECT_EQ(std::get<FeatureRange>(selection).stop, 7);
  selector.mutable_band()->set_high(-2);
  selector.mutable_band()->set_open(true);
  selector.mutable_band()->set_by(v1::FREQUENCY_SOURCE_SNAPSHOT);
  ASSERT_OK_AND_ASSIGN(selection, SelectionOf(selector));
  const auto& band = std::get<FrequencyBand>(selection);
  EXPECT_EQ(band.low, std::nullopt);
  EXPECT_EQ(band.high, -2);
  EXPECT_TRUE(band.open);
  EXPECT_EQ(band.by, FrequencySource::kSnapshot);
}

TEST(FeatureSelectorsTest, SourcesThatThisServerDoesNotKnowAreRefused) {
  EXPECT_EQ(*SourceOf(v1::FREQUENCY_SOURCE_UNSPECIFIED), FrequencySource::kDefault);
  EXPECT_EQ(*SourceOf(v1::FREQUENCY_SOURCE_TRAINING), FrequencySource::kTraining);
  const auto unknown = static_cast<v1::FrequencySource>(99);
  EXPECT_THAT(SourceOf(unknown), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  v1::FeatureSelector selector;
  selector.mutable_band()->set_by(unknown);
  EXPECT_THAT(SelectionOf(selector), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

}  // namespace
}  // namespace superpose
