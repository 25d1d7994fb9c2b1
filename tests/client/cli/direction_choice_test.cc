#include "client/cli/direction_choice.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/status_matchers.h"

namespace superpose::cli {
namespace {

using ::testing::HasSubstr;

// What a command line of these words chooses.
v1::DirectionSource Chosen(const std::vector<std::string>& words) {
  CLI::App app;
  DirectionChoice choice;
  AddDirectionOptions(&app, /*factors=*/true, &choice);
  app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  CheckDirections(choice);
  return DirectionsOf(choice);
}

TEST(DirectionChoiceTest, ANumberIsALayer) {
  EXPECT_EQ(Chosen({"2"}).transcoder(), "models/-/layers/2");
  EXPECT_EQ(Chosen({"2", "--model", "demo"}).transcoder(), "models/demo/layers/2");
  EXPECT_EQ(Chosen({"2", "--model", "models/demo"}).transcoder(), "models/demo/layers/2");
}

TEST(DirectionChoiceTest, ALayerMayBeSaidAsOtherVerbsHaveIt) {
  EXPECT_EQ(Chosen({"--layer", "2"}).SerializeAsString(), Chosen({"2"}).SerializeAsString());
  EXPECT_EQ(Chosen({"--model", "demo", "--layer", "0", "--top", "5"}).transcoder(), "models/demo/layers/0");
}

TEST(DirectionChoiceTest, FullNamesAreTakenAsTheyAre) {
  EXPECT_EQ(Chosen({"models/demo/transcoders/layer2"}).transcoder(), "models/demo/transcoders/layer2");
  const v1::DirectionSource factors = Chosen({"factorizations/ab12"});
  EXPECT_EQ(factors.factorization(), "factorizations/ab12");
  EXPECT_EQ(factors.transcoder(), "");
}

TEST(DirectionChoiceTest, ASnapshotBringsItsTranscoder) {
  const v1::DirectionSource directions = Chosen({"--snapshot", "ab12", "--kind", "predicted"});
  EXPECT_EQ(directions.snapshot(), "snapshots/ab12");
  EXPECT_EQ(directions.transcoder(), "");
  EXPECT_EQ(directions.kind(), v1::DECODER_KIND_PREDICTED);
}

TEST(DirectionChoiceTest, EveryOptionReachesTheSource) {
  const v1::DirectionSource directions = Chosen({"2", "--features", "5:9", "--top", "3", "--by", "snapshot",
                                                 "--snapshot", "ab12", "--kind", "real", "--method", "no-gate"});
  EXPECT_EQ(directions.features().range().start(), 5);
  EXPECT_EQ(directions.features().range().stop(), 9);
  EXPECT_EQ(directions.top(), 3);
  EXPECT_EQ(directions.by(), v1::FREQUENCY_SOURCE_SNAPSHOT);
  EXPECT_EQ(directions.kind(), v1::DECODER_KIND_REAL);
  EXPECT_EQ(directions.method(), v1::PREDICTION_METHOD_NO_GATE);
}

TEST(DirectionChoiceTest, WhatWasNotSaidIsNotSet) {
  v1::DirectionSource only_the_layer;
  only_the_layer.set_transcoder("models/-/layers/2");
  EXPECT_EQ(Chosen({"2"}).SerializeAsString(), only_the_layer.SerializeAsString());
}

TEST(DirectionChoiceTest, MistakesAreRefused) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"--top", "5"},
      {"-1"},
      {"2.5"},
      {"--layer", "-1"},
      {"--layer", "two"},
      {"2", "--layer", "2"},
      {"factorizations/ab12", "--layer", "2"},
      {"ab12"},
      {"snapshots/ab12"},
      {"2", "--top", "-5"},
      {"2", "--kind", "both"},
      {"factorizations/ab12", "--top", "5"},
      {"factorizations/ab12", "--features", "1,2"},
      {"factorizations/ab12", "--by", "training"},
      {"factorizations/ab12", "--kind", "real"},
      {"factorizations/ab12", "--method", "gate"},
      {"factorizations/ab12", "--snapshot", "cd34"},
  };
  for (const std::vector<std::string>& words : mistakes) {
    EXPECT_THROW(Chosen(words), CLI::ParseError) << ::testing::PrintToString(words);
  }
}

TEST(DirectionChoiceTest, OnlyWhereTheyMayBeFactorsAreASource) {
  EXPECT_OK(CheckSource("factorizations/ab12", /*factors=*/true));
  const absl::Status refused = CheckSource("factorizations/ab12", /*factors=*/false);
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(CheckSource("x", true).message()), HasSubstr("factorizations/ab12"));
  EXPECT_THAT(std::string(CheckSource("x", false).message()), ::testing::Not(HasSubstr("factorizations")));
}

}  // namespace
}  // namespace superpose::cli
