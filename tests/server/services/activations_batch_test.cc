// Queries for activations that are computed together.
#include <ATen/ATen.h>
#include <google/protobuf/text_format.h>

#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "server/runtime/reasons.h"
#include "server/services/activations_work.h"
#include "superpose/v1/server_config.pb.h"
#include "tests/status_matchers.h"
#include "tests/support/synthetic_files.h"

namespace superpose {
namespace {

// One model with transcoders of 256 features on all its layers.
std::unique_ptr<ModelRegistry> LoadRegistry() {
  const TestFolder folder;
  WriteTranscoderFile(folder, "0.pt", 32, 256, -1);
  WriteTranscoderFile(folder, "2.pt", 32, 256, -1);
  constexpr char kConfig[] = R"(device: "cpu" self_test: SELF_TEST_POLICY_OFF model { name: "tiny" path: "$0/model"
      transcoder { layer: 0 path: "$1/0.pt" }
      transcoder { layer: 1 path: "$0/tiny_transcoder_dunefsky.pt" }
      transcoder { layer: 2 path: "$1/2.pt" } })";
  v1::ServerConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::Substitute(kConfig, SUPERPOSE_TEST_DATA "/golden", folder.path()), &config));
  for (v1::TranscoderEntry& transcoder : *config.mutable_model(0)->mutable_transcoder())
    transcoder.set_id(absl::StrCat("layer", transcoder.layer()));
  auto loaded = ModelRegistry::Load(config);
  EXPECT_OK(loaded);
  return loaded.ok() ? *std::move(loaded) : nullptr;
}

template <typename T>
std::vector<T> Read(const std::string& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

at::Tensor Dense(const v1::SparseActivations& z, int64_t rows) {
  at::Tensor dense = at::zeros({rows, 256});
  const auto splits = Read<int64_t>(z.row_splits());
  const auto ids = Read<int32_t>(z.feature_ids());
  const auto values = Read<float>(z.values());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t entry = splits.at(row); entry < splits.at(row + 1); ++entry)
      dense.data_ptr<float>()[256 * row + ids.at(entry)] = values.at(entry);
  }
  return dense;
}

class ActivationsBatchTest : public testing::Test {
 protected:
  using Works = std::vector<std::unique_ptr<ActivationsWork>>;

  void SetUp() override { ASSERT_NE(registry_, nullptr); }

  int64_t Random(int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random_); }

  v1::ActivationsQuery RandomQuery() {
    v1::ActivationsQuery query;
    for (int64_t layer = Random(0, 2); layer < 3; layer += Random(1, 2))
      query.add_transcoders(absl::StrCat("models/tiny/layers/", layer));
    for (int64_t sequences = Random(1, 3); sequences > 0; --sequences) {
      const int64_t length = Random(1, 64);
      query.mutable_tokens()->add_lengths(static_cast<int32_t>(length));
      for (int64_t i = 0; i < length; ++i) query.mutable_tokens()->add_token_ids(static_cast<int32_t>(Random(0, 255)));
    }
    if (Random(0, 2) == 0) {
      for (int64_t i = 0; i < 100; ++i) query.add_feature_ids(static_cast<int32_t>(Random(0, 255)));
    }
    return query;
  }
  std::unique_ptr<ActivationsWork> Make(const v1::ActivationsQuery& query) {
    auto prepared = ActivationQuery::Prepare(*registry_, query);
    EXPECT_OK(prepared);
    if (!prepared.ok()) return nullptr;
    return std::make_unique<ActivationsWork>(*std::move(prepared), &*budget_, Limits());
  }
  Works MakeAll(const std::vector<v1::ActivationsQuery>& queries) {
    Works works;
    for (const v1::ActivationsQuery& query : queries) works.push_back(Make(query));
    return works;
  }
  static absl::Status RunTogether(const Works& works) {
    std::vector<BatchableWork*> all;
    for (const auto& work : works) all.push_back(work.get());
    return all.front()->RunTogether(all);
  }
  static v1::GetActivationsResponse Respond(ActivationsWork* work) {
    v1::GetActivationsResponse response;
    const absl::StatusOr<bool> done = work->RunPart(&response);
    EXPECT_OK(done);
    EXPECT_TRUE(done.ok() && *done);
    return response;
  }
  static v1::Activations Answer(ActivationsWork* work) { return Respond(work).activations(); }
  // By value: an entry near zero may be there in one and not in the other.
  static void ExpectEqual(const v1::Activations& ours, const v1::Activations& theirs) {
    ASSERT_EQ(ours.tokens().SerializeAsString(), theirs.tokens().SerializeAsString());
    ASSERT_EQ(ours.layers_size(), theirs.layers_size());
    const int64_t rows = ours.tokens().token_ids_size();
    for (int i = 0; i < ours.layers_size(); ++i) {
      ASSERT_EQ(ours.layers(i).layer(), theirs.layers(i).layer());
      EXPECT_EQ(ours.layers(i).provenance().SerializeAsString(), theirs.layers(i).provenance().SerializeAsString());
      EXPECT_TRUE(at::allclose(Dense(ours.layers(i).activations(), rows), Dense(theirs.layers(i).activations(), rows),
                               1e-5, 1e-5));
    }
  }

  const std::unique_ptr<ModelRegistry> registry_ = LoadRegistry();
  std::mt19937 random_{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed())};
  std::optional<MemoryBudget> budget_{std::in_place, int64_t{1} << 30};
};

TEST_F(ActivationsBatchTest, EachGetsWhatItGetsAlone) {
  for (int round = 0; round < 15; ++round) {
    std::vector<v1::ActivationsQuery> queries;
    for (int64_t i = Random(2, 6); i > 0; --i) queries.push_back(RandomQuery());
    const Works joined = MakeAll(queries), alone = MakeAll(queries);
    ASSERT_OK(RunTogether(joined));
    for (size_t i = 0; i < queries.size(); ++i) ExpectEqual(Answer(joined[i].get()), Answer(alone[i].get()));
    if (HasFatalFailure()) return;
  }
}

TEST_F(ActivationsBatchTest, TheLargestOfAPositionAreThoseItHasAlone) {
  v1::ActivationsQuery query = RandomQuery();
  query.set_top_k(3);
  const Works joined = MakeAll({query, RandomQuery(), query}), alone = MakeAll({query});
  ASSERT_OK(RunTogether(joined));
  const v1::Activations expected = Answer(alone[0].get());
  ExpectEqual(Answer(joined[0].get()), expected);
  ExpectEqual(Answer(joined[2].get()), expected);
}

TEST_F(ActivationsBatchTest, MemoryIsReservedForEachUntilItGoes) {
  const v1::ActivationsQuery query = RandomQuery();
  Works works = MakeAll({query, query, query});
  ASSERT_OK(RunTogether(works));
  const int64_t computed = budget_->used_bytes();
  int64_t answers = 0;
  for (const auto& work : works) answers += 2 * static_cast<int64_t>(Respond(work.get()).ByteSizeLong());
  EXPECT_EQ(budget_->used_bytes(), answers);
  EXPECT_LT(answers, computed);
  works.clear();
  EXPECT_EQ(budget_->used_bytes(), 0);
}

TEST_F(ActivationsBatchTest, WhereThereIsTooLittleMemoryForAllEachCanStillRunAlone) {
  const v1::ActivationsQuery query = RandomQuery();
  Works works = MakeAll({query});
  ASSERT_OK(RunTogether(works));
  works.clear();
  // As much as one takes, about.
  int64_t enough = 1 << 12;
  while (true) {
    budget_.emplace(enough);
    works = MakeAll({query});
    if (RunTogether(works).ok()) break;
    enough = enough * 5 / 4;
  }
  works.clear();
  works = MakeAll(std::vector<v1::ActivationsQuery>(6, query));
  EXPECT_THAT(RunTogether(works), IsError(absl::StatusCode::kResourceExhausted, reason::kMemoryExceeded));
  EXPECT_EQ(budget_->used_bytes(), 0);
  Answer(works[3].get());
}

TEST_F(ActivationsBatchTest, QueriesOfOneModelHaveOneKeyAndThoseOfAnotherAnother) {
  const auto work = Make(RandomQuery()), same = Make(RandomQuery());
  EXPECT_FALSE(work->batch_item().key.empty());
  EXPECT_EQ(work->batch_item().key, same->batch_item().key);
  const auto other = LoadRegistry();
  ASSERT_NE(other, nullptr);
  ASSERT_OK_AND_ASSIGN(ActivationQuery query, ActivationQuery::Prepare(*other, RandomQuery()));
  EXPECT_NE(query.AsBatchItem().key, work->batch_item().key);
}

TEST_F(ActivationsBatchTest, AnItemHasTheTokensOfAllSequences) {
  v1::ActivationsQuery query;
  query.add_transcoders("models/tiny/layers/1");
  for (const int length : {3, 9, 4}) query.mutable_tokens()->add_lengths(length);
  for (int i = 0; i < 16; ++i) query.mutable_tokens()->add_token_ids(i);
  EXPECT_EQ(Make(query)->batch_item().tokens, 16);
}

TEST_F(ActivationsBatchTest, ALargeOneThatGoesByPartsRunsAlone) {
  v1::ActivationsQuery query;
  query.add_transcoders("models/tiny/layers/1");
  for (int i = 0; i < 2 * kPartTokens; ++i) query.mutable_tokens()->add_token_ids(i % 256);
  for (int i = 0; i < 2 * kPartTokens / 64; ++i) query.mutable_tokens()->add_lengths(64);
  EXPECT_EQ(Make(query)->batch_item().key, "");
}

}  // namespace
}  // namespace superpose
