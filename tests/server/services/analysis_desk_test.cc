#include "server/services/analysis_desk.h"

#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

v1::AnalysisSpec Naming(int64_t features) {
  v1::AnalysisSpec spec;
  auto* ids = spec.mutable_gram()->mutable_directions()->mutable_features()->mutable_ids();
  for (int64_t i = 0; i < features; ++i) ids->add_values(100'000 + i % 30'000);
  return spec;
}

TEST(AnalysisDeskTest, AListOfAllFeaturesOfTheWidestTranscoderIsTakenAndOneWithoutEndIsNot) {
  EXPECT_OK(AnalysisDesk::CheckSize(Naming(1 << 20)));
  EXPECT_THAT(AnalysisDesk::CheckSize(Naming(3 << 20)),
              testing::AllOf(IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid), MessageHas("range")));
}

}  // namespace
}  // namespace superpose
