#include "client/cli/enum_option.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "superpose/v1/analysis.pb.h"
#include "superpose/v1/statistics.pb.h"

namespace superpose::cli {
namespace {

using ::testing::ElementsAre;

TEST(EnumOptionTest, ValuesAreWordsWithoutTheirPrefix) {
  EXPECT_THAT(EnumWords(*v1::StatisticsGroup_descriptor()),
              ElementsAre("features", "pairs", "gates", "pre-activations", "outputs", "units"));
}

TEST(EnumOptionTest, EveryWordStandsForItsValue) {
  EXPECT_EQ(EnumOf<v1::PairQuantity>("notebook-correlation"), v1::PAIR_QUANTITY_NOTEBOOK_CORRELATION);
  for (int value = 1; value <= 8; ++value) {
    EXPECT_EQ(EnumValue(*v1::PairQuantity_descriptor(), EnumWord(*v1::PairQuantity_descriptor(), value)), value);
  }
}

TEST(EnumOptionTest, WhatIsNotThereIsUnspecified) {
  EXPECT_EQ(EnumOf<v1::PairQuantity>("Phi"), v1::PAIR_QUANTITY_UNSPECIFIED);
  EXPECT_EQ(EnumOf<v1::PairQuantity>("unspecified"), v1::PAIR_QUANTITY_UNSPECIFIED);
  EXPECT_EQ(EnumWord(*v1::PairQuantity_descriptor(), 0), "");
  EXPECT_EQ(EnumWord(*v1::PairQuantity_descriptor(), 999), "");
}

TEST(EnumOptionTest, AnOptionTakesItsWordsAlone) {
  CLI::App app;
  v1::DecoderKind kind = v1::DECODER_KIND_UNSPECIFIED;
  AddEnumOption(&app, "--kind", &kind, "Which", "KIND");
  app.parse("--kind predicted", false);
  EXPECT_EQ(kind, v1::DECODER_KIND_PREDICTED);
  EXPECT_THROW(app.parse("--kind other", false), CLI::ValidationError);
}

}  // namespace
}  // namespace superpose::cli
