#include "client/cli/analysis_output.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "client/cli/npy_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/answers.h"
#include "tests/client/matchers.h"
#include "tests/support/test_folder.h"

namespace superpose::cli {
namespace {

using client::AnalysisAnswer;
using client::FailsWith;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::Pair;

AnalysisAnswer Answer() {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->set_snapshot("snapshots/a");
  answer.result.mutable_spec()->mutable_pairs()->set_quantity(v1::PAIR_QUANTITY_LIFT);
  answer.result.set_tokens(1000);
  (*answer.result.mutable_figures())["median"] = 0.5;
  PutTensor<int64_t>("feature", {5, int64_t{1} << 40}, &answer);
  PutTensor<double>("values", {1, NAN, INFINITY, -INFINITY, 0.5, 2}, &answer, {2, 3});
  return answer;
}

TEST(AnalysisOutputTest, TensorsAreArraysByName) {
  const json answer = json::parse(AnswerToJson(Answer(), {}));
  EXPECT_EQ(answer["spec"]["snapshot"], "snapshots/a");
  EXPECT_EQ(answer["spec"]["pairs"]["quantity"], "PAIR_QUANTITY_LIFT");
  EXPECT_EQ(answer["tokens"], "1000") << "as everywhere in the contract's JSON";
  EXPECT_EQ(answer["figures"]["median"], 0.5);
  EXPECT_EQ(answer["tensors"]["feature"], json({5, int64_t{1} << 40}));
  EXPECT_EQ(answer["tensors"]["values"], json({{1.0, nullptr, "Infinity"}, {"-Infinity", 0.5, 2.0}}));
}

TEST(AnalysisOutputTest, WithoutRowsOrColumnsArraysAreEmpty) {
  AnalysisAnswer answer;
  PutTensor<double>("none", {}, &answer);
  PutTensor<float>("no_rows", {}, &answer, {0, 3});
  PutTensor<float>("no_columns", {}, &answer, {3, 0});
  const json tensors = json::parse(AnswerToJson(answer, {}))["tensors"];
  for (const char* name : {"none", "no_rows", "no_columns"}) EXPECT_EQ(tensors[name], json::array()) << name;
}

class AnalysisFilesTest : public ::testing::Test {
 protected:
  TestFolder folder_;
};

TEST_F(AnalysisFilesTest, AFolderGetsEveryTensor) {
  const std::string output = folder_.File("new/folder");
  ASSERT_OK_AND_ASSIGN(const TensorFiles files, WriteTensors(Answer(), "values", output));
  EXPECT_THAT(files, ElementsAre(Pair("feature", output + "/feature.npy"), Pair("values", output + "/values.npy")));
  for (const auto& [name, path] : files) EXPECT_TRUE(std::filesystem::exists(path)) << path;
  const json tensors = json::parse(AnswerToJson(Answer(), files))["tensors"];
  EXPECT_EQ(tensors["values"]["file"], output + "/values.npy");
  EXPECT_EQ(tensors["values"]["data_type"], "float64");
  EXPECT_EQ(tensors["values"]["shape"], json({2, 3}));
}

TEST_F(AnalysisFilesTest, ANameThatEndsInNpyGetsTheMainTensor) {
  const std::string output = folder_.File("v.npy");
  ASSERT_OK_AND_ASSIGN(const TensorFiles files, WriteTensors(Answer(), "values", output));
  EXPECT_THAT(files, ElementsAre(Pair("values", output)));
  EXPECT_EQ(std::filesystem::file_size(output), 128 + 6 * sizeof(double));
  EXPECT_FALSE(json::parse(AnswerToJson(Answer(), files))["tensors"].contains("feature"));
  EXPECT_THAT(WriteTensors(Answer(), "other", output), FailsWith(absl::StatusCode::kNotFound, "TENSOR_MISSING"));
}

TEST_F(AnalysisFilesTest, ATensorsNameDoesNotLeadOutOfTheFolder) {
  AnalysisAnswer answer;
  PutTensor<double>("../../x", {1}, &answer);
  const std::string output = folder_.File("here");
  ASSERT_OK_AND_ASSIGN(const TensorFiles files, WriteTensors(answer, "x", output));
  EXPECT_THAT(files, ElementsAre(Pair("../../x", output + "/.._.._x.npy")));
}

TEST_F(AnalysisFilesTest, WhatCannotBeWrittenIsSaid) {
  ASSERT_OK(SaveNpy(Answer().tensors["feature"], folder_.File("file")));
  EXPECT_THAT(WriteTensors(Answer(), "values", folder_.File("file/below")),
              FailsWith(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED"));
  EXPECT_THAT(WriteTensors(Answer(), "values", folder_.File("no/folder/x.npy")),
              FailsWith(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED"));
}

}  // namespace
}  // namespace superpose::cli
