#include <algorithm>
#include <map>

#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class ActivationsCallsTest : public TinyServerTest {
 protected:
  // `count` different sequences of 20 tokens. The server takes 64 tokens in one call.
  static ActivationsQuery Query(int count) {
    ActivationsQuery query{.transcoders = {LayerName(kTinyLayer)}};
    for (int i = 0; i < count; ++i) {
      std::vector<int32_t>& sequence = query.sequences.emplace_back();
      for (int j = 0; j < 20; ++j) sequence.push_back((i * 37 + j * 11) % 256);
    }
    return query;
  }

  absl::StatusOr<Activations> Streamed(const ActivationsQuery& query) const {
    Activations all;
    absl::Status status = client().StreamActivations(query, [&all](const Activations& part) {
      Append(part, &all);
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return all;
  }
};

// A row of a batch may differ in its last bits from the same row alone: values are compared, near-zero entries too.
void ExpectSameValues(const SparseActivations& one, const SparseActivations& other) {
  ASSERT_EQ(one.rows(), other.rows());
  for (int64_t row = 0; row < one.rows(); ++row) {
    std::map<int32_t, float> difference;
    for (size_t i = 0; i < one.Row(row).values.size(); ++i)
      difference[one.Row(row).feature_ids[i]] += one.Row(row).values[i];
    for (size_t i = 0; i < other.Row(row).values.size(); ++i)
      difference[other.Row(row).feature_ids[i]] -= other.Row(row).values[i];
    for (auto [feature, value] : difference) EXPECT_NEAR(value, 0, 1e-5) << "row " << row << " feature " << feature;
  }
}

TEST_F(ActivationsCallsTest, ACallAndAStreamGiveTheSame) {
  ASSERT_OK_AND_ASSIGN(Activations unary, client().GetActivations(Query(3)));
  ASSERT_OK_AND_ASSIGN(Activations streamed, Streamed(Query(3)));
  EXPECT_EQ(unary.token_ids, streamed.token_ids);
  EXPECT_THAT(unary.lengths, ElementsAre(20, 20, 20));
  EXPECT_EQ(unary.lengths, streamed.lengths);
  ASSERT_EQ(unary.layers.size(), 1);
  EXPECT_EQ(unary.layers[0].transcoder, "models/tiny/transcoders/layer1");
  EXPECT_EQ(unary.layers[0].layer, kTinyLayer);
  EXPECT_EQ(unary.layers[0].activations.d_sae, 256);
  EXPECT_FALSE(unary.layers[0].activations.values.empty());
  ExpectSameValues(unary.layers[0].activations, streamed.layers[0].activations);
}

TEST_F(ActivationsCallsTest, MoreTokensThanACallTakesAreStreamed) {
  ASSERT_OK_AND_ASSIGN(Activations all, client().GetActivations(Query(10)));
  EXPECT_EQ(all.token_ids.size(), 200);
  Activations one_by_one;
  for (const std::vector<int32_t>& sequence : Query(10).sequences) {
    ActivationsQuery query{.transcoders = {LayerName(kTinyLayer)}, .sequences = {sequence}};
    ASSERT_OK_AND_ASSIGN(Activations one, client().GetActivations(query));
    Append(one, &one_by_one);
  }
  EXPECT_EQ(all.token_ids, one_by_one.token_ids);
  ExpectSameValues(all.layers[0].activations, one_by_one.layers[0].activations);
}

TEST_F(ActivationsCallsTest, AStreamComesInPartsOfWholeSequences) {
  int parts = 0;
  EXPECT_OK(client().StreamActivations(Query(10), [&parts](const Activations& part) {
    ++parts;
    EXPECT_THAT(part.lengths, Each(20));
    return absl::OkStatus();
  }));
  EXPECT_GT(parts, 1);
}

TEST_F(ActivationsCallsTest, AnErrorOfTheReaderEndsTheStream) {
  int parts = 0;
  absl::Status status = client().StreamActivations(Query(10), [&parts](const Activations&) {
    ++parts;
    return absl::AbortedError("seen enough");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(parts, 1);
}

TEST_F(ActivationsCallsTest, OnlyTheFeaturesAskedForComeBack) {
  ASSERT_OK_AND_ASSIGN(Activations all, client().GetActivations(Query(1)));
  ASSERT_FALSE(all.layers[0].activations.feature_ids.empty());
  int32_t feature = all.layers[0].activations.feature_ids[0];
  ActivationsQuery query = Query(1);
  query.feature_ids = {feature};
  ASSERT_OK_AND_ASSIGN(Activations one, client().GetActivations(query));
  EXPECT_THAT(one.layers[0].activations.feature_ids, Each(feature));
  EXPECT_FALSE(one.layers[0].activations.feature_ids.empty());
}

TEST_F(ActivationsCallsTest, TopKKeepsTheLargest) {
  ASSERT_OK_AND_ASSIGN(Activations all, client().GetActivations(Query(1)));
  ActivationsQuery query = Query(1);
  query.top_k = 1;
  ASSERT_OK_AND_ASSIGN(Activations top, client().GetActivations(query));
  for (int64_t row = 0; row < 20; ++row) {
    SparseRow full = all.layers[0].activations.Row(row);
    SparseRow kept = top.layers[0].activations.Row(row);
    ASSERT_EQ(kept.values.size(), full.values.empty() ? 0 : 1) << row;
    if (!full.values.empty())
      EXPECT_NEAR(kept.values[0], *std::max_element(full.values.begin(), full.values.end()), 1e-6);
  }
}

TEST_F(ActivationsCallsTest, MistakesHaveTheirCodeAndReason) {
  auto ask = [this](std::vector<std::string> transcoders, std::vector<std::vector<int32_t>> sequences) {
    return client().GetActivations(
        ActivationsQuery{.transcoders = std::move(transcoders), .sequences = std::move(sequences)});
  };
  const std::string layer = LayerName(kTinyLayer);
  EXPECT_THAT(ask({layer}, {{256}}), FailsWith(absl::StatusCode::kInvalidArgument, "TOKEN_OUT_OF_RANGE"));
  EXPECT_THAT(ask({layer}, {{-1}}), FailsWith(absl::StatusCode::kInvalidArgument, "TOKEN_OUT_OF_RANGE"));
  EXPECT_THAT(ask({layer}, {{1}, {}}), FailsWith(absl::StatusCode::kInvalidArgument, "EMPTY_INPUT"));
  EXPECT_THAT(ask({layer}, {}), FailsWith(absl::StatusCode::kInvalidArgument, "EMPTY_INPUT"));
  EXPECT_THAT(ask({}, {{1}}), FailsWith(absl::StatusCode::kInvalidArgument, "EMPTY_INPUT"));
  EXPECT_THAT(ask({layer}, {std::vector<int32_t>(65, 1)}),
              FailsWith(absl::StatusCode::kInvalidArgument, "CONTEXT_EXCEEDED"));
  EXPECT_THAT(ask({LayerName(0)}, {{1}}), FailsWith(absl::StatusCode::kNotFound, "TRANSCODER_NOT_FOUND"));
  EXPECT_THAT(ask({LayerName(kTinyLayer, "other")}, {{1}}), FailsWith(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND"));
}

TEST_F(ActivationsCallsTest, MistakesInAStreamHaveThemToo) {
  ActivationsQuery query = Query(10);
  query.sequences[9][19] = 256;
  EXPECT_THAT(client().GetActivations(query), FailsWith(absl::StatusCode::kInvalidArgument, "TOKEN_OUT_OF_RANGE"));
}

TEST_F(ActivationsCallsTest, TextNeedsATokenizer) {
  EXPECT_THAT(client().GetActivations({.transcoders = {LayerName(kTinyLayer)}, .texts = {"The cat sat"}}),
              FailsWith(absl::StatusCode::kFailedPrecondition, "TOKENIZER_MISSING"));
}

}  // namespace
}  // namespace superpose::client
