// What calls and the cache of midcoders hold of the memory budget, and for how long.
#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status_macros.h"
#include "server/runtime/load_model.h"
#include "server/runtime/reasons.h"
#include "server/services/activations_work.h"
#include "server/services/midcoder_cache.h"
#include "server/services/mlp_tensors_work.h"
#include "server/services/prompt_input.h"
#include "tests/server/jobs/manager_rig.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr char kTranscoder[] = "models/tiny/transcoders/layer1";
// W_mid [256, 128], b_mid [128], b_mid_out [32] in float32.
constexpr int64_t kMidcoderBytes = 4 * (256 * 128 + 128 + 32);

class HeldMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_->database_path()));
    store_.emplace(folder_.get(), database_.get());
    ASSERT_OK_AND_ASSIGN(model_, TinyRegistry()->FindModel("models/tiny"));
  }
  void SetLimit(int64_t bytes) {
    cache_.reset();
    budget_.emplace(bytes);
    cache_.emplace(&*store_, &*budget_);
  }
  std::string AddMidcoder() {
    v1::Midcoder midcoder;
    midcoder.set_layer(1);
    const TensorMap weights = {
        {"W_mid", at::ones({256, 128})}, {"b_mid", at::ones({128})}, {"b_mid_out", at::ones({32})}};
    const auto added = store_->Add(midcoder, weights, {}, absl::UnixEpoch());
    EXPECT_OK(added);
    return added.ok() ? added->name() : "";
  }
  absl::StatusOr<std::shared_ptr<const Midcoder>> LoadMidcoder(const std::string& name) {
    SUPERPOSE_ASSIGN_OR_RETURN(const OpenMidcoder midcoder, cache_->Open(name));
    return cache_->Load(midcoder, *model_->model, 256);
  }
  // Whether the cache still has it.
  bool IsCached(const std::string& name) {
    const auto midcoder = cache_->Open(name);
    EXPECT_OK(midcoder);
    return midcoder.ok() && midcoder->loaded != nullptr;
  }
  static v1::GetMlpTensorsRequest TensorsRequest(int tokens) {
    v1::GetMlpTensorsRequest request;
    request.set_layer(1);
    request.add_which(v1::MLP_TENSOR_X_HAT);
    request.add_which(v1::MLP_TENSOR_PRE);
    request.mutable_prompt()->set_model("models/tiny");
    v1::TokenBatch* batch = request.mutable_prompt()->mutable_tokens();
    for (int i = 0; i < tokens; ++i) batch->add_token_ids(i % 256);
    for (int left = tokens; left > 0; left -= 32) batch->add_lengths(std::min(left, 32));
    return request;
  }
  absl::StatusOr<MlpTensorsWork> PrepareTensors(int tokens) {
    return MlpTensorsWork::Prepare(*TinyRegistry(), {&*cache_, &*budget_}, TensorsRequest(tokens), Limits());
  }

  const TemporaryFolder parent_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
  std::optional<MidcoderStore> store_;
  ModelHandle model_;
  std::optional<MemoryBudget> budget_;
  std::optional<MidcoderCache> cache_;
};

TEST_F(HeldMemoryTest, ACachedMidcoderIsReservedUntilItGoes) {
  SetLimit(1 << 20);
  ASSERT_OK(LoadMidcoder(AddMidcoder()));
  EXPECT_EQ(budget_->used_bytes(), kMidcoderBytes);
  EXPECT_EQ(budget_->Available(MemoryUse::kRequest), 1 << 20) << "it goes when others need the memory";
  cache_.reset();
  EXPECT_EQ(budget_->used_bytes(), 0);
}

TEST_F(HeldMemoryTest, OnlyTheLastFewAreCached) {
  SetLimit(1 << 20);
  for (int i = 0; i < 4; ++i) ASSERT_OK(LoadMidcoder(AddMidcoder()));
  EXPECT_EQ(budget_->used_bytes(), 2 * kMidcoderBytes);
}

TEST_F(HeldMemoryTest, TheMidcoderUsedLongestAgoGoesBeforeAnythingIsRefused) {
  SetLimit(1 << 20);
  const std::string first = AddMidcoder(), second = AddMidcoder();
  ASSERT_OK(LoadMidcoder(first));
  ASSERT_OK(LoadMidcoder(second));
  ASSERT_OK(LoadMidcoder(first));
  const int64_t rest = (1 << 20) - 2 * kMidcoderBytes;
  ASSERT_OK_AND_ASSIGN(const MemoryReservation call, budget_->Reserve(MemoryUse::kRequest, rest + 1, "a call"));
  EXPECT_TRUE(IsCached(first));
  EXPECT_FALSE(IsCached(second));
  ASSERT_OK_AND_ASSIGN(const MemoryReservation job, budget_->Reserve(MemoryUse::kJob, kMidcoderBytes, "a job"));
  EXPECT_FALSE(IsCached(first));
}

TEST_F(HeldMemoryTest, AMidcoderInUseStaysAndIsNotGivenBackBeforeItsUserHasEnded) {
  SetLimit(kMidcoderBytes + 1000);
  const std::string name = AddMidcoder();
  std::optional<std::shared_ptr<const Midcoder>> user = *LoadMidcoder(name);
  EXPECT_THAT(budget_->Reserve(MemoryUse::kRequest, 2000, "a call"), IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_TRUE(IsCached(name));
  EXPECT_THAT(LoadMidcoder(AddMidcoder()), IsError(kExhausted, reason::kMemoryExceeded));
  user.reset();
  EXPECT_OK(LoadMidcoder(AddMidcoder()));
  EXPECT_EQ(budget_->used_bytes(), kMidcoderBytes);
}

TEST_F(HeldMemoryTest, AMidcoderThatCannotBeLoadedGivesItsMemoryBack) {
  SetLimit(kMidcoderBytes - 1);
  const std::string name = AddMidcoder();
  const auto refused = LoadMidcoder(name);
  EXPECT_THAT(refused, IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_THAT(refused, MessageHas("loading " + name + " needs 128.6 KiB"));
  SetLimit(1 << 20);
  ASSERT_OK_AND_ASSIGN(const OpenMidcoder midcoder, cache_->Open(name));
  EXPECT_FALSE(cache_->Load(midcoder, *model_->model, 255).ok());
  EXPECT_EQ(budget_->used_bytes(), 0);
}

TEST_F(HeldMemoryTest, TensorsAroundAnMlpAreReservedUntilEachHasBeenRead) {
  SetLimit(1 << 20);
  ASSERT_OK_AND_ASSIGN(MlpTensorsWork work, PrepareTensors(96));
  EXPECT_EQ(budget_->used_bytes(), 0) << "while it waits for the device";
  ASSERT_OK_AND_ASSIGN(const bool done, work.RunPart());
  ASSERT_TRUE(done);
  EXPECT_EQ(budget_->used_bytes(), 96 * (32 + 128) * 4);
  at::Tensor x_hat = work.Take(0);
  EXPECT_EQ(x_hat.sizes(), at::IntArrayRef({96, 32}));
  x_hat = at::Tensor();
  EXPECT_EQ(budget_->used_bytes(), 96 * 128 * 4);
  work.Take(1);
  EXPECT_EQ(budget_->used_bytes(), 0);
}

TEST_F(HeldMemoryTest, TensorsThatDoNotFitAreRefusedWithTheirFigure) {
  SetLimit(60 << 10);
  const auto never = PrepareTensors(128);
  EXPECT_THAT(never, IsError(kExhausted, reason::kMemoryExceeded));
  EXPECT_THAT(never, MessageHas("keeping these tensors until they are read needs 80.0 KiB"));
  ASSERT_OK_AND_ASSIGN(MlpTensorsWork work, PrepareTensors(64));
  ASSERT_OK_AND_ASSIGN(const MemoryReservation other, budget_->Reserve(MemoryUse::kRequest, 40 << 10, "a call"));
  EXPECT_THAT(work.RunPart(), IsError(kExhausted, reason::kMemoryExceeded));
}

v1::ActivationsQuery ActivationsOf(int tokens) {
  v1::ActivationsQuery query;
  query.add_transcoders(kTranscoder);
  for (int i = 0; i < tokens; ++i) query.mutable_tokens()->add_token_ids(i % 256);
  for (int left = tokens; left > 0; left -= 32) query.mutable_tokens()->add_lengths(32);
  return query;
}

TEST_F(HeldMemoryTest, ActivationsAreReservedAtTheirPeakAndThenAsTheirAnswer) {
  SetLimit(64 << 20);
  ASSERT_OK_AND_ASSIGN(ActivationQuery query, ActivationQuery::Prepare(*TinyRegistry(), ActivationsOf(2048)));
  std::optional<ActivationsWork> work(std::in_place, std::move(query), &*budget_, Limits());
  v1::GetActivationsResponse response;
  ASSERT_OK_AND_ASSIGN(bool done, work->RunPart(&response));
  ASSERT_FALSE(done);
  const int64_t peak = budget_->used_bytes();
  ASSERT_OK_AND_ASSIGN(done, work->RunPart(&response));
  ASSERT_TRUE(done);
  EXPECT_EQ(budget_->used_bytes(), 2 * static_cast<int64_t>(response.ByteSizeLong()));
  EXPECT_LT(budget_->used_bytes(), peak);
  work.reset();
  EXPECT_EQ(budget_->used_bytes(), 0);
}

TEST_F(HeldMemoryTest, TheTokensOfAQueryAreReserved) {
  SetLimit(20'000);
  ASSERT_OK_AND_ASSIGN(const ActivationQuery query, ActivationQuery::Prepare(*TinyRegistry(), ActivationsOf(2048)));
  {
    ASSERT_OK_AND_ASSIGN(const MemoryReservation memory, query.ReserveTokens(&*budget_));
    EXPECT_EQ(budget_->used_bytes(), 2048 * 4 + 64 * static_cast<int64_t>(sizeof(TokenSequence)));
  }
  ASSERT_OK_AND_ASSIGN(const ActivationQuery large, ActivationQuery::Prepare(*TinyRegistry(), ActivationsOf(8192)));
  EXPECT_THAT(large.ReserveTokens(&*budget_), IsError(kExhausted, reason::kMemoryExceeded));
}

TEST(PromptInputTest, ATranscoderOfAModelThatHasTakenTheNameIsRefused) {
  const auto registry = LoadTinyRegistry();
  ASSERT_NE(registry, nullptr);
  ASSERT_OK_AND_ASSIGN(const ModelHandle before, registry->RemoveModel("models/tiny"));
  v1::ModelEntry entry;
  entry.set_name("tiny");
  entry.set_path(SUPERPOSE_TEST_DATA "/golden/model");
  entry.add_transcoder()->set_layer(1);
  entry.mutable_transcoder(0)->set_id("layer1");
  entry.mutable_transcoder(0)->set_path(SUPERPOSE_TEST_DATA "/golden/tiny_transcoder_dunefsky.pt");
  ASSERT_OK_AND_ASSIGN(const ModelHandle after, LoadModelFiles(entry, {}));
  ASSERT_OK(registry->AddModel(after));
  EXPECT_OK(FindTranscoderOf(*registry, *after, kTranscoder));
  EXPECT_THAT(FindTranscoderOf(*registry, *before, kTranscoder), IsError(kPrecondition, reason::kInputChanged));
}

}  // namespace
}  // namespace superpose
