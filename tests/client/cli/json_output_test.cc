#include "client/cli/json_output.h"

#include "client/cpp/errors.h"
#include "gtest/gtest.h"
#include "superpose/v1/job.pb.h"

namespace superpose::cli {
namespace {

using nlohmann::json;

TEST(JsonOutputTest, MessagesHaveTheContractsFieldNamesAndTheirZeros) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_state(v1::JOB_STATE_QUEUED);
  job.mutable_progress()->set_total(int64_t{1} << 40);
  json parsed = json::parse(ToJson(job));
  EXPECT_EQ(parsed["name"], "jobs/1");
  EXPECT_EQ(parsed["state"], "JOB_STATE_QUEUED");
  EXPECT_EQ(parsed["progress"]["total"], "1099511627776");
  EXPECT_EQ(parsed["queue_position"], "0");
  EXPECT_EQ(parsed["cancel_requested"], false);
}

TEST(JsonOutputTest, ErrorsHaveCodeReasonAndMessage) {
  absl::Status status = client::MakeError(absl::StatusCode::kNotFound, "JOB_NOT_FOUND", "no \"jobs/1\"\n\xff");
  json parsed = json::parse(ErrorToJson(status));
  EXPECT_EQ(parsed["error"]["code"], "NOT_FOUND");
  EXPECT_EQ(parsed["error"]["reason"], "JOB_NOT_FOUND");
  EXPECT_EQ(parsed["error"]["message"], "no \"jobs/1\"\n\xef\xbf\xbd");
}

TEST(JsonOutputTest, ActivationsAreArrays) {
  client::LayerActivations layer;
  layer.transcoder = "models/m/transcoders/layer1";
  layer.layer = 1;
  layer.activations = {6, {0, 1, 2}, {3, 5}, {0.5F, 2.0F}};
  json parsed = json::parse(ActivationsToJson({{7, 8}, {2}, {"a", "b"}, {layer}}));
  EXPECT_EQ(parsed["token_ids"], json({7, 8}));
  EXPECT_EQ(parsed["lengths"], json::array({2}));
  EXPECT_EQ(parsed["token_texts"], json({"a", "b"}));
  ASSERT_EQ(parsed["layers"].size(), 1);
  EXPECT_EQ(parsed["layers"][0]["row_splits"], json({0, 1, 2}));
  EXPECT_EQ(parsed["layers"][0]["feature_ids"], json({3, 5}));
  EXPECT_EQ(parsed["layers"][0]["values"], json({0.5, 2.0}));
  EXPECT_EQ(parsed["layers"][0]["d_sae"], 6);
}

}  // namespace
}  // namespace superpose::cli
