// What is added to the registry and taken out of it while others hold what they found.
#include <google/protobuf/text_format.h>

#include <optional>

#include "absl/strings/substitute.h"
#include "server/runtime/load_model.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/reasons.h"
#include "server/runtime/residence.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kExists = absl::StatusCode::kAlreadyExists;
constexpr char kLayer1[] = "models/tiny/transcoders/layer1";

v1::TranscoderEntry Transcoder(const std::string& id, int layer = 1) {
  v1::TranscoderEntry entry;
  entry.set_layer(layer);
  entry.set_id(id);
  entry.set_path(SUPERPOSE_TEST_DATA "/golden/tiny_transcoder_dunefsky.pt");
  return entry;
}

class RegistryChangesTest : public testing::Test {
 protected:
  void SetUp() override {
    v1::ServerConfig config;
    config.set_device("cpu");
    v1::ModelEntry* model = config.add_model();
    model->set_name("tiny");
    model->set_path(SUPERPOSE_TEST_DATA "/golden/model");
    *model->add_transcoder() = Transcoder("layer1");
    auto loaded = ModelRegistry::Load(config, &budget_);
    ASSERT_OK(loaded);
    registry_ = *std::move(loaded);
  }
  ModelHandle FindModel() const {
    const auto model = registry_->FindModel("models/tiny");
    EXPECT_OK(model);
    return model.ok() ? *model : nullptr;
  }
  TranscoderHandle LoadTranscoder(const std::string& id) {
    auto loaded =
        LoadTranscoderFiles(*FindModel(), Transcoder(id), {.device = c10::Device(c10::kCPU), .budget = &budget_});
    EXPECT_OK(loaded);
    return loaded.ok() ? *loaded : nullptr;
  }

  MemoryBudget budget_{int64_t{256} << 20};
  std::unique_ptr<ModelRegistry> registry_;
};

TEST_F(RegistryChangesTest, WhatIsHeldIsReserved) {
  int64_t held = 0;
  for (const auto& [name, tensor] : FindModel()->model->tensors()) held += static_cast<int64_t>(tensor.nbytes());
  EXPECT_GE(budget_.used_bytes(), held);
  registry_.reset();
  EXPECT_EQ(budget_.used_bytes(), 0);
}

TEST_F(RegistryChangesTest, AModelThatDoesNotFitIsNotRead) {
  MemoryBudget small(4096);
  v1::ModelEntry entry;
  entry.set_name("tiny");
  entry.set_path(SUPERPOSE_TEST_DATA "/golden/model");
  const auto loaded = LoadModelFiles(entry, {.device = c10::Device(c10::kCPU), .budget = &small});
  EXPECT_THAT(loaded, IsError(absl::StatusCode::kResourceExhausted, reason::kMemoryExceeded));
  EXPECT_THAT(loaded, MessageHas("loading models/tiny needs"));
  EXPECT_EQ(small.used_bytes(), 0);
}

TEST_F(RegistryChangesTest, ATranscoderIsAddedInItsPlace) {
  ASSERT_OK(registry_->AddTranscoder(*FindModel(), LoadTranscoder("a"), /*replace=*/false));
  const ModelHandle model = FindModel();
  ASSERT_EQ(model->transcoders.size(), 2U);
  EXPECT_EQ(model->transcoders[0]->name, "models/tiny/transcoders/a") << "by layer, then name";
  EXPECT_EQ(model->transcoders[1]->name, kLayer1);
}

TEST_F(RegistryChangesTest, ANameThatIsTakenIsRefused) {
  const TranscoderHandle before = *registry_->FindTranscoder(kLayer1);
  EXPECT_THAT(registry_->AddTranscoder(*FindModel(), LoadTranscoder("layer1"), /*replace=*/false),
              IsError(kExists, reason::kResourceExists));
  EXPECT_EQ(*registry_->FindTranscoder(kLayer1), before);
  EXPECT_THAT(registry_->AddModel(FindModel()), IsError(kExists, reason::kResourceExists));
}

TEST_F(RegistryChangesTest, WhoHoldsAReplacedTranscoderKeepsItAndItsMemory) {
  std::optional<TranscoderHandle> held = *registry_->FindTranscoder(kLayer1);
  const int64_t with_one = budget_.used_bytes();
  ASSERT_OK(registry_->AddTranscoder(*FindModel(), LoadTranscoder("layer1"), /*replace=*/true));
  ASSERT_OK_AND_ASSIGN(const TranscoderHandle now, registry_->FindTranscoder(kLayer1));
  EXPECT_NE(now, *held);
  EXPECT_EQ((*held)->transcoder->d_sae(), 256);
  EXPECT_GT(budget_.used_bytes(), with_one);
  held.reset();
  EXPECT_EQ(budget_.used_bytes(), with_one);
}

TEST_F(RegistryChangesTest, TheWeightsAloneKeepTheMemoryToo) {
  std::shared_ptr<const superpose::Transcoder> weights = (*registry_->FindTranscoder(kLayer1))->transcoder;
  const int64_t before = budget_.used_bytes();
  ASSERT_OK(registry_->RemoveTranscoder(kLayer1));
  EXPECT_EQ(budget_.used_bytes(), before);
  weights.reset();
  EXPECT_LT(budget_.used_bytes(), before);
}

TEST_F(RegistryChangesTest, ARemovedTranscoderIsNotFoundAndTheModelStays) {
  ASSERT_OK(registry_->RemoveTranscoder(kLayer1));
  EXPECT_THAT(registry_->FindTranscoder(kLayer1), IsError(kNotFound, reason::kTranscoderNotFound));
  EXPECT_THAT(registry_->RemoveTranscoder(kLayer1), IsError(kNotFound, reason::kTranscoderNotFound));
  EXPECT_TRUE(FindModel()->transcoders.empty());
}

TEST_F(RegistryChangesTest, ARemovedModelIsNotFound) {
  ModelHandle held = FindModel();
  ASSERT_OK(registry_->RemoveModel("models/tiny"));
  EXPECT_THAT(registry_->FindModel("models/tiny"), IsError(kNotFound, reason::kModelNotFound));
  EXPECT_THAT(registry_->FindModel("models/-"), IsError(kNotFound, reason::kModelNotFound));
  EXPECT_THAT(registry_->RemoveModel("models/tiny"), IsError(kNotFound, reason::kModelNotFound));
  EXPECT_EQ(held->model->config().n_layers, 3);
  held.reset();
  EXPECT_EQ(budget_.used_bytes(), 0);
}

TEST_F(RegistryChangesTest, ATranscoderOfAModelThatIsGoneIsNotAdded) {
  const ModelHandle model = FindModel();
  const TranscoderHandle transcoder = LoadTranscoder("late");
  ASSERT_OK(registry_->RemoveModel("models/tiny"));
  EXPECT_THAT(registry_->AddTranscoder(*model, transcoder, false), IsError(kNotFound, reason::kModelNotFound));
}

TEST_F(RegistryChangesTest, AFailedLoadGivesItsMemoryBack) {
  const int64_t before = budget_.used_bytes();
  const LoadContext context{.device = c10::Device(c10::kCPU), .budget = &budget_};
  EXPECT_THAT(LoadTranscoderFiles(*FindModel(), Transcoder("high", 7), context),
              IsError(absl::StatusCode::kInvalidArgument, reason::kLayerOutOfRange));
  v1::TranscoderEntry missing = Transcoder("missing");
  missing.set_path(SUPERPOSE_TEST_DATA "/golden/nothing.pt");
  EXPECT_THAT(LoadTranscoderFiles(*FindModel(), missing, context), IsError(kNotFound, reason::kFileNotFound));
  EXPECT_EQ(budget_.used_bytes(), before);
}

}  // namespace
}  // namespace superpose
