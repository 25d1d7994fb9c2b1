#include "server/jobs/midcoder_store.h"

#include <ATen/ATen.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>

#include <filesystem>

#include "lib/base/error.h"
#include "lib/tensor_io/content_hash.h"
#include "server/jobs/sweep.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;

const absl::Time kNow = absl::FromUnixNanos(1'700'000'000'123'456'789);

auto NoMidcoder() { return IsError(absl::StatusCode::kNotFound, reason::kMidcoderNotFound); }
auto InvalidName() { return IsError(absl::StatusCode::kInvalidArgument, reason::kNameInvalid); }

v1::Midcoder Facts(const std::string& job, int32_t layer) {
  v1::Midcoder midcoder;
  midcoder.set_job(job);
  midcoder.set_layer(layer);
  midcoder.set_owner("ada");
  midcoder.set_steps(3);
  midcoder.set_tokens(96);
  midcoder.mutable_spec()->set_lr(0);
  midcoder.mutable_spec()->add_transcoders("models/demo/transcoders/layer0");
  midcoder.mutable_provenance()->set_model("models/demo");
  midcoder.mutable_provenance()->set_model_hash("abc");
  (*midcoder.mutable_final_losses())["loss"] = 0.5;
  return midcoder;
}

TensorMap Weights(double value) {
  return {{"W_mid", at::full({5, 3}, value)},
          {"b_mid", at::full({3}, 2.0)},
          {"b_mid_out", at::full({2}, -1.0, at::kDouble)}};
}

std::vector<StepLoss> Losses(int64_t steps) {
  std::vector<StepLoss> losses;
  for (int64_t step = 1; step <= steps; ++step) {
    losses.push_back({.step = step,
                      .layer = 0,
                      .lr = 0.1,
                      .loss = 10.0 / step,
                      .mse_mid = 1,
                      .mse_out = 2,
                      .mse_out_transcoder = 3});
  }
  return losses;
}

class MidcoderStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    Reopen();
  }
  void Reopen() {
    store_ = nullptr;
    database_ = nullptr;
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_->database_path()));
    store_ = std::make_unique<MidcoderStore>(folder_.get(), database_.get());
  }
  v1::Midcoder Add(const std::string& job = "", int32_t layer = 0, double value = 1.5, int64_t steps = 3) {
    absl::StatusOr<v1::Midcoder> midcoder = store_->Add(Facts(job, layer), Weights(value), Losses(steps), kNow);
    EXPECT_OK(midcoder);
    return midcoder.ok() ? *midcoder : v1::Midcoder();
  }
  std::vector<std::string> Names(int64_t page_size, const std::string& token, std::string* next) {
    absl::StatusOr<MidcoderPage> page = store_->List(page_size, token);
    EXPECT_OK(page);
    std::vector<std::string> names;
    if (!page.ok()) return names;
    for (const v1::Midcoder& midcoder : page->items) names.push_back(midcoder.name());
    *next = page->next_page_token;
    return names;
  }

  TemporaryFolder parent_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<MidcoderStore> store_;
};

TEST_F(MidcoderStoreTest, AMidcoderIsKeptWithItsFactsFilledIn) {
  const v1::Midcoder midcoder = Add("jobs/a", 0);
  EXPECT_THAT(midcoder.name(), MatchesRegex("midcoders/[a-z0-9]+"));
  v1::Midcoder expected = Facts("jobs/a", 0);
  expected.set_name(midcoder.name());
  expected.set_content_hash(ContentHash(Weights(1.5)));
  *expected.mutable_create_time() = TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(kNow));
  auto add_tensor = [&](const char* name, v1::DataType type, std::vector<int64_t> shape) {
    v1::TensorInfo* tensor = expected.add_tensors();
    tensor->set_name(name);
    tensor->set_data_type(type);
    tensor->mutable_shape()->Add(shape.begin(), shape.end());
  };
  add_tensor("W_mid", v1::DATA_TYPE_FLOAT32, {5, 3});
  add_tensor("b_mid", v1::DATA_TYPE_FLOAT32, {3});
  add_tensor("b_mid_out", v1::DATA_TYPE_FLOAT64, {2});
  EXPECT_TRUE(MessageDifferencer::Equals(midcoder, expected)) << midcoder.DebugString();
  Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder kept, store_->Get(midcoder.name()));
  EXPECT_TRUE(MessageDifferencer::Equals(kept, expected)) << kept.DebugString();
}

TEST_F(MidcoderStoreTest, ItsWeightsAreReadAsTheyWereGiven) {
  const v1::Midcoder midcoder = Add();
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, store_->Open(midcoder.name()));
  const TensorMap expected = Weights(1.5);
  ASSERT_EQ(file.tensors().size(), expected.size());
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(at::equal(file.tensors().at(name), tensor)) << name;
}

TEST_F(MidcoderStoreTest, TheFileAloneSaysWhatItIs) {
  const v1::Midcoder midcoder = Add("jobs/a", 7);
  const std::string copy = parent_ / "copy.safetensors";
  fs::copy_file(folder_->FolderOf(midcoder.name()) + "/weights.safetensors", copy);
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, SafetensorsFile::Open(copy));
  EXPECT_EQ(file.metadata().at("format"), "superpose.midcoder");
  EXPECT_EQ(file.metadata().at("format_version"), "1");
  v1::Midcoder told;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(file.metadata().at("midcoder"), &told).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(told, midcoder)) << told.DebugString();
  EXPECT_THAT(file.metadata().at("midcoder"), testing::HasSubstr("\"content_hash\""));  // the names of the proto
}

TEST_F(MidcoderStoreTest, AFileHasTheHashThatItsRowSays) {
  const v1::Midcoder midcoder = Add();
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, store_->Open(midcoder.name()));
  EXPECT_EQ(ContentHash(file.tensors()), midcoder.content_hash());
  EXPECT_NE(Add("", 0, 1.25).content_hash(), midcoder.content_hash());
}

TEST_F(MidcoderStoreTest, AJobThatComesAgainGetsTheMidcoderItHadMade) {
  const v1::Midcoder first = Add("jobs/a", 2);
  const v1::Midcoder again = Add("jobs/a", 2, /*value=*/9);
  EXPECT_TRUE(MessageDifferencer::Equals(again, first));
  const v1::Midcoder other_layer = Add("jobs/a", 3);
  const v1::Midcoder other_job = Add("jobs/b", 2);
  std::string next;
  EXPECT_THAT(Names(10, "", &next), ElementsAre(other_job.name(), other_layer.name(), first.name()));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_->FolderOf("midcoders")), fs::directory_iterator()), 3);
}

TEST_F(MidcoderStoreTest, MidcodersOfNoJobAreAllKept) { EXPECT_NE(Add("", 2).name(), Add("", 2).name()); }

TEST_F(MidcoderStoreTest, AMidcoderThatCouldNotBeWrittenLeavesNothing) {
  TensorMap weights = Weights(1);
  weights["W_mid"] = at::zeros({2, 2}, at::kComplexFloat);  // which the file format cannot hold
  EXPECT_FALSE(store_->Add(Facts("jobs/a", 0), weights, Losses(1), kNow).ok());
  std::string next;
  EXPECT_THAT(Names(10, "", &next), IsEmpty());
  EXPECT_TRUE(fs::is_empty(folder_->FolderOf("midcoders")));
}

TEST_F(MidcoderStoreTest, AMidcoderWhoseRowCouldNotBeWrittenLeavesNothing) {
  Add();
  ASSERT_OK(database_->Transact([](sqlite3* connection) -> absl::Status {
    return sqlite3_exec(connection, "PRAGMA query_only = ON", nullptr, nullptr, nullptr) == SQLITE_OK
               ? absl::OkStatus()
               : absl::InternalError("pragma");
  }));
  EXPECT_THAT(store_->Add(Facts("jobs/a", 0), Weights(1), Losses(1), kNow),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kStorageReadOnly));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_->FolderOf("midcoders")), fs::directory_iterator()), 1);
}

TEST_F(MidcoderStoreTest, AMidcoderThatIsNotThereIsNotFound) {
  Add();
  EXPECT_THAT(store_->Get("midcoders/none"), NoMidcoder());
  EXPECT_THAT(store_->Open("midcoders/none"), NoMidcoder());
  EXPECT_THAT(store_->Delete("midcoders/none"), NoMidcoder());
  EXPECT_THAT(store_->History("midcoders/none", 10, ""), NoMidcoder());
}

TEST_F(MidcoderStoreTest, ANameOfAnotherFormIsRefused) {
  const std::string id = Add().name().substr(10);
  for (const std::string& name : {std::string(), id, std::string("midcoders/"), "jobs/" + id, "midcoders/" + id + "/",
                                  std::string("midcoders/../jobs")}) {
    EXPECT_THAT(store_->Get(name), InvalidName()) << name;
    EXPECT_THAT(store_->Open(name), InvalidName()) << name;
    EXPECT_THAT(store_->Delete(name), InvalidName()) << name;
    EXPECT_THAT(store_->History(name, 10, ""), InvalidName()) << name;
  }
  EXPECT_THAT(store_->Delete("midcoders/.."), NoMidcoder());
  EXPECT_TRUE(fs::exists(folder_->FolderOf("midcoders/" + id)));
}

TEST_F(MidcoderStoreTest, ListsPageFromTheNewestToTheOldest) {
  const std::string first = Add().name();
  const std::string second = Add().name();
  const std::string third = Add().name();
  std::string next;
  EXPECT_THAT(Names(2, "", &next), ElementsAre(third, second));
  ASSERT_OK(store_->Delete(second));
  EXPECT_THAT(Names(2, next, &next), ElementsAre(first));
  EXPECT_EQ(next, "");
  EXPECT_THAT(store_->List(2, "x"), IsError(absl::StatusCode::kInvalidArgument, reason::kPageTokenInvalid));
}

TEST_F(MidcoderStoreTest, ADeletedMidcoderIsGoneWithItsFiles) {
  const v1::Midcoder midcoder = Add("jobs/a", 0);
  const v1::Midcoder other = Add("jobs/b", 0);
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile mapped, store_->Open(midcoder.name()));
  ASSERT_OK(store_->Delete(midcoder.name()));
  EXPECT_THAT(store_->Get(midcoder.name()), NoMidcoder());
  EXPECT_FALSE(fs::exists(folder_->FolderOf(midcoder.name())));
  EXPECT_OK(store_->Open(other.name()));
  // Who reads it goes on reading.
  EXPECT_TRUE(at::equal(mapped.tensors().at("W_mid"), Weights(1.5).at("W_mid")));
  EXPECT_NE(Add("jobs/a", 0).name(), midcoder.name());
}

TEST_F(MidcoderStoreTest, HistoryComesInPages) {
  const std::string name = Add("", 0, 1, /*steps=*/5).name();
  std::vector<int64_t> steps;
  std::vector<int> sizes;
  std::string token;
  do {
    ASSERT_OK_AND_ASSIGN(const HistoryPage page, store_->History(name, 2, token));
    steps.insert(steps.end(), page.history.step().begin(), page.history.step().end());
    sizes.push_back(page.history.step_size());
    token = page.next_page_token;
  } while (!token.empty());
  EXPECT_THAT(steps, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST_F(MidcoderStoreTest, HistoryHasAllColumns) {
  const std::string name = Add("", 0, 1, /*steps=*/2).name();
  ASSERT_OK_AND_ASSIGN(const HistoryPage page, store_->History(name, 2, ""));
  EXPECT_EQ(page.next_page_token, "");
  EXPECT_THAT(page.history.step(), ElementsAre(1, 2));
  EXPECT_THAT(page.history.lr(), ElementsAre(0.1, 0.1));
  EXPECT_THAT(page.history.loss(), ElementsAre(10.0, 5.0));
  EXPECT_THAT(page.history.mse_mid(), ElementsAre(1.0, 1.0));
  EXPECT_THAT(page.history.mse_out(), ElementsAre(2.0, 2.0));
  EXPECT_THAT(page.history.mse_out_transcoder(), ElementsAre(3.0, 3.0));
}

TEST_F(MidcoderStoreTest, AMidcoderWithoutHistoryHasNone) {
  const std::string name = Add("", 0, 1, /*steps=*/0).name();
  ASSERT_OK_AND_ASSIGN(const HistoryPage page, store_->History(name, 10, ""));
  EXPECT_EQ(page.history.step_size(), 0);
  for (const char* token : {"x", "-1", "0"}) {
    EXPECT_THAT(store_->History(name, 10, token),
                IsError(absl::StatusCode::kInvalidArgument, reason::kPageTokenInvalid));
  }
}

TEST_F(MidcoderStoreTest, TheSweepKeepsMidcodersAndTakesWhatAKilledServerLeft) {
  const std::string name = Add().name();
  WriteFile(folder_->FolderOf("midcoders/halfdone/weights.safetensors.12.0.tmp"), "half");
  WriteFile(folder_->FolderOf("midcoders/rowless/weights.safetensors"), "whole, but its row was not written");
  ASSERT_OK(Sweep(*folder_, database_.get()));
  EXPECT_OK(store_->Open(name));
  EXPECT_FALSE(fs::exists(folder_->FolderOf("midcoders/halfdone")));
  EXPECT_FALSE(fs::exists(folder_->FolderOf("midcoders/rowless")));
}

}  // namespace
}  // namespace superpose
