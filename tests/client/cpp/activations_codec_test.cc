#include "client/cpp/activations_codec.h"

#include <limits>
#include <string>
#include <vector>

#include "tests/client/matchers.h"

namespace superpose::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename T>
std::string Bytes(std::vector<T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

v1::SparseActivations Rows(std::vector<int64_t> row_splits, std::vector<int32_t> feature_ids,
                           std::vector<float> values) {
  v1::SparseActivations rows;
  rows.set_rows(static_cast<int64_t>(row_splits.size()) - 1);
  rows.set_d_sae(6);
  rows.set_row_splits(Bytes(std::move(row_splits)));
  rows.set_feature_ids(Bytes(std::move(feature_ids)));
  rows.set_values(Bytes(std::move(values)));
  return rows;
}

// Two tokens in one sequence, with these rows.
v1::Activations Reply(v1::SparseActivations rows) {
  v1::Activations reply;
  reply.mutable_tokens()->add_token_ids(4);
  reply.mutable_tokens()->add_token_ids(5);
  reply.mutable_tokens()->add_lengths(2);
  v1::LayerActivations* layer = reply.add_layers();
  layer->mutable_provenance()->set_transcoder("models/m/transcoders/layer1");
  layer->mutable_provenance()->set_transcoder_hash("abc");
  layer->set_layer(1);
  *layer->mutable_activations() = std::move(rows);
  return reply;
}

TEST(ActivationsCodecTest, AReplyBecomesArrays) {
  ASSERT_OK_AND_ASSIGN(Activations activations, FromProto(Reply(Rows({0, 2, 3}, {0, 5, 2}, {1.5F, 2.5F, 0.25F}))));
  EXPECT_THAT(activations.token_ids, ElementsAre(4, 5));
  EXPECT_THAT(activations.lengths, ElementsAre(2));
  EXPECT_THAT(activations.token_texts, IsEmpty());
  ASSERT_EQ(activations.layers.size(), 1);
  const LayerActivations& layer = activations.layers[0];
  EXPECT_EQ(layer.transcoder, "models/m/transcoders/layer1");
  EXPECT_EQ(layer.transcoder_hash, "abc");
  EXPECT_EQ(layer.layer, 1);
  EXPECT_EQ(layer.activations.d_sae, 6);
  EXPECT_THAT(layer.activations.row_splits, ElementsAre(0, 2, 3));
  EXPECT_THAT(layer.activations.feature_ids, ElementsAre(0, 5, 2));
  EXPECT_THAT(layer.activations.values, ElementsAre(1.5F, 2.5F, 0.25F));
}

TEST(ActivationsCodecTest, RowsMayBeEmpty) {
  ASSERT_OK_AND_ASSIGN(Activations activations, FromProto(Reply(Rows({0, 0, 0}, {}, {}))));
  EXPECT_THAT(activations.layers[0].activations.Row(1).values, IsEmpty());
}

TEST(ActivationsCodecTest, ArraysThatContradictEachOtherAreRefused) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const std::vector<std::pair<const char*, v1::SparseActivations>> bad = {
      {"splits that do not begin at 0", Rows({1, 2, 3}, {0, 1, 2}, {1, 1, 1})},
      {"splits that end early", Rows({0, 1, 2}, {0, 1, 2}, {1, 1, 1})},
      {"splits beyond the entries", Rows({0, kHuge, 3}, {0, 1, 2}, {1, 1, 1})},
      {"splits that fall", Rows({0, 3, 2}, {0, 1}, {1, 1})},
      {"negative splits", Rows({0, -1, 1}, {0}, {1})},
      {"fewer values than ids", Rows({0, 1, 2}, {0, 1}, {1})},
      {"an id of d_sae", Rows({0, 1, 1}, {6}, {1})},
      {"a negative id", Rows({0, 1, 1}, {-1}, {1})},
      {"ids that do not ascend", Rows({0, 2, 2}, {3, 3}, {1, 1})},
      {"a row too few", Rows({0, 1}, {0}, {1})},
      {"a row too many", Rows({0, 1, 1, 1}, {0}, {1})},
      {"no splits", v1::SparseActivations()},
  };
  for (const auto& [what, rows] : bad)
    EXPECT_EQ(FromProto(Reply(rows)).status().code(), absl::StatusCode::kDataLoss) << what;
}

TEST(ActivationsCodecTest, BytesThatEndWithinAnElementAreRefused) {
  v1::SparseActivations rows = Rows({0, 1, 1}, {0}, {1});
  rows.set_values(std::string("\0\0\x80\x3f\0", 5));
  EXPECT_EQ(FromProto(Reply(rows)).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ActivationsCodecTest, RowCountsThatCannotBeAreRefused) {
  v1::SparseActivations rows = Rows({0, 1, 1}, {0}, {1});
  for (int64_t count : {int64_t{-1}, std::numeric_limits<int64_t>::max(), int64_t{1}}) {
    rows.set_rows(count);
    EXPECT_EQ(FromProto(Reply(rows)).status().code(), absl::StatusCode::kDataLoss) << count;
  }
}

TEST(ActivationsCodecTest, LengthsMustAddUpToTheTokens) {
  v1::Activations reply = Reply(Rows({0, 0, 0}, {}, {}));
  reply.mutable_tokens()->set_lengths(0, 3);
  EXPECT_EQ(FromProto(reply).status().code(), absl::StatusCode::kDataLoss);
  reply.mutable_tokens()->set_lengths(0, -1);
  reply.mutable_tokens()->add_lengths(3);
  EXPECT_EQ(FromProto(reply).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ActivationsCodecTest, ThereIsOneTextATokenOrNone) {
  v1::Activations reply = Reply(Rows({0, 0, 0}, {}, {}));
  reply.add_token_texts("a");
  EXPECT_EQ(FromProto(reply).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ActivationsCodecTest, AQueryOfTextsCarriesItsSettings) {
  ActivationsQuery query{
      .transcoders = {LayerName(2)}, .texts = {"one", ""}, .prepend_bos = false, .top_k = 3, .feature_ids = {8, 1}};
  ASSERT_OK_AND_ASSIGN(v1::ActivationsQuery proto, ToProto(query));
  EXPECT_THAT(proto.transcoders(), ElementsAre("models/-/layers/2"));
  EXPECT_THAT(proto.texts().texts(), ElementsAre("one", ""));
  EXPECT_TRUE(proto.texts().has_prepend_bos());
  EXPECT_FALSE(proto.texts().prepend_bos());
  EXPECT_TRUE(proto.texts().parse_special());
  EXPECT_EQ(proto.top_k(), 3);
  EXPECT_THAT(proto.feature_ids(), ElementsAre(8, 1));
}

TEST(ActivationsCodecTest, AQueryOfSequencesKeepsTheirLengths) {
  ASSERT_OK_AND_ASSIGN(v1::ActivationsQuery proto, ToProto(ActivationsQuery{.sequences = {{1, 2}, {}, {3}}}));
  EXPECT_FALSE(proto.has_texts());
  EXPECT_THAT(proto.tokens().token_ids(), ElementsAre(1, 2, 3));
  EXPECT_THAT(proto.tokens().lengths(), ElementsAre(2, 0, 1));
}

TEST(ActivationsCodecTest, TextsAndSequencesTogetherAreRefused) {
  EXPECT_THAT(ToProto(ActivationsQuery{.texts = {"a"}, .sequences = {{1}}}),
              FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
}

}  // namespace
}  // namespace superpose::client
