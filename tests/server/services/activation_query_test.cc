// Which features a query for activations keeps.
#include "server/services/activation_query.h"

#include <google/protobuf/text_format.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "server/runtime/reasons.h"
#include "superpose/v1/server_config.pb.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::AllOf;

// The transcoder twice: with the frequencies of its training, and without.
std::unique_ptr<ModelRegistry> LoadRegistry() {
  constexpr char kConfig[] = R"(device: "cpu" model { name: "tiny" path: "$0/model"
      transcoder { layer: 1 id: "known" path: "$0/tiny_transcoder_dunefsky.pt"
                   log_sparsity_path: "$0/tiny_transcoder_dunefsky_log_feature_sparsity.pt" }
      transcoder { layer: 1 id: "unknown" path: "$0/tiny_transcoder_dunefsky.pt" } })";
  v1::ServerConfig config;
  EXPECT_TRUE(
      google::protobuf::TextFormat::ParseFromString(absl::Substitute(kConfig, SUPERPOSE_TEST_DATA "/golden"), &config));
  auto loaded = ModelRegistry::Load(config);
  EXPECT_OK(loaded);
  return loaded.ok() ? *std::move(loaded) : nullptr;
}

const ModelRegistry* Registry() {
  static const std::unique_ptr<ModelRegistry> registry = LoadRegistry();
  return registry.get();
}

class ActivationQueryTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(Registry(), nullptr); }

  static absl::StatusOr<ActivationQuery> Prepare(const std::string& fields, const std::string& transcoder = "known") {
    v1::ActivationsQuery query;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        absl::StrCat("transcoders: 'models/tiny/transcoders/", transcoder,
                     "' tokens { token_ids: [7, 20, 33, 101] lengths: 4 } ", fields),
        &query))
        << fields;
    return ActivationQuery::Prepare(*Registry(), query);
  }
  static std::set<int64_t> FeaturesOf(const std::string& fields) {
    std::set<int64_t> features;
    const auto query = Prepare(fields);
    EXPECT_OK(query) << fields;
    if (!query.ok()) return features;
    const auto layers = query->ComputeLayers(0, 1);
    EXPECT_OK(layers);
    const at::Tensor ids = layers->at(0).feature_ids.to(at::kLong);
    for (int64_t i = 0; i < ids.numel(); ++i) features.insert(ids[i].item<int64_t>());
    return features;
  }
};

TEST_F(ActivationQueryTest, ASelectorKeepsWhatIdsKeep) {
  const std::set<int64_t> all = FeaturesOf("");
  ASSERT_GE(all.size(), 3U);
  const int64_t first = *all.begin(), last = *all.rbegin();
  const std::set<int64_t> two = {first, last};
  EXPECT_EQ(FeaturesOf(absl::StrCat("feature_ids: [", first, ", ", last, "]")), two);
  EXPECT_EQ(FeaturesOf(absl::StrCat("features { ids { values: [", last, ", ", first, ", ", last, "] } }")), two);
  EXPECT_EQ(FeaturesOf("features { range { start: 0 stop: 256 } }"), all);
  EXPECT_EQ(FeaturesOf("features {}"), all) << "nothing set means all";
  EXPECT_EQ(FeaturesOf(absl::StrCat("features { range { start: ", last, " stop: ", last + 1, " } }")),
            std::set<int64_t>({last}));
}

TEST_F(ActivationQueryTest, ABandIsOfTheTranscodersTraining) {
  const auto transcoder = Registry()->FindTranscoder("models/tiny/transcoders/known");
  ASSERT_OK(transcoder);
  const at::Tensor frequencies = (*transcoder)->transcoder->tensor("log_sparsity").to(at::kDouble);
  const auto middle = frequencies.masked_select(frequencies.isfinite()).median().item<double>();
  std::set<int64_t> rare, frequent;
  for (const int64_t feature : FeaturesOf("")) {
    (frequencies[feature].item<double>() < middle ? rare : frequent).insert(feature);
  }
  EXPECT_EQ(FeaturesOf(absl::StrCat("features { band { high: ", middle, " } }")), rare);
  EXPECT_EQ(FeaturesOf(absl::StrCat("features { band { low: ", middle, " } }")), frequent);
}

TEST_F(ActivationQueryTest, SelectionsThatCannotBeAreRefused) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
  EXPECT_THAT(Prepare("feature_ids: 1 features {}"),
              AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("both set")));
  EXPECT_THAT(Prepare("features { ids { values: 256 } }"), IsError(kInvalid, reason::kFeatureOutOfRange));
  EXPECT_THAT(Prepare("features { ids {} }"), IsError(kPrecondition, reason::kEmptySelection));
  EXPECT_THAT(Prepare("features { band { low: 5 } }"), IsError(kPrecondition, reason::kEmptySelection));
  EXPECT_THAT(Prepare("features { band { by: 99 } }"), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(Prepare("features { band { by: FREQUENCY_SOURCE_SNAPSHOT } }"),
              IsError(kPrecondition, reason::kFrequenciesMissing));
  EXPECT_THAT(Prepare("features { band { low: -3 } }", "unknown"), IsError(kPrecondition, reason::kFrequenciesMissing));
}

}  // namespace
}  // namespace superpose
