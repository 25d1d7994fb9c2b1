// Questions to directions, against the real server: superpose spectrum, whiten, gram.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tests/client/cli/asking_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Numbers = std::vector<double>;
using Matrix = std::vector<Numbers>;

Numbers NumbersOf(const json& answer, const std::string& tensor) { return answer["tensors"][tensor]; }
Matrix MatrixOf(const json& answer, const std::string& tensor) { return answer["tensors"][tensor]; }

double SumOf(const Numbers& values) { return std::accumulate(values.begin(), values.end(), 0.0); }
double SumOfSquares(const Numbers& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

// "0,1,..", each feature of the tiny transcoder again and again.
std::string ManyFeatures(int count) {
  std::string ids;
  for (int i = 0; i < count; ++i) absl::StrAppend(&ids, i == 0 ? "" : ",", i % 256);
  return ids;
}

// A feature of the tiny transcoder that is none of these; "" where all are.
std::string OneThatIsNotIn(const Numbers& features) {
  for (int id = 0; id < 256; ++id) {
    if (std::find(features.begin(), features.end(), id) == features.end()) return absl::StrCat(id);
  }
  return "";
}

class DirectionVerbsTest : public AskingTest {
 protected:
  // The verb on the first 40 decoders with small cosines counted, too.
  static Words OfForty(const std::string& verb, const Words& more = {}) {
    Words arguments = {verb, "1", "--features", "0:40", "--theta", "0.1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(DirectionVerbsTest, GramCountsTheNeighborsOfADirection) {
  const json answer = AskForJson(OfForty("gram", {"--values"}));
  const Matrix values = MatrixOf(answer, "values");
  const Numbers neighbors = NumbersOf(answer, "neighbors"), sums = NumbersOf(answer, "neighbor_sum");
  ASSERT_THAT(values, AllOf(SizeIs(40), Each(SizeIs(40))));
  double nonzeros = 0;
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_NEAR(values[i][i], 1, 1e-5);
    const auto others = std::count_if(values[i].begin(), values[i].end(), [](double c) { return c != 0; }) - 1;
    EXPECT_EQ(neighbors[i], others) << i;
    EXPECT_NEAR(sums[i], SumOf(values[i]) - values[i][i], 1e-4) << i;
    for (size_t j = 0; j < 40; ++j) {
      EXPECT_TRUE(values[i][j] == 0 || values[i][j] >= 0.1) << i << ", " << j;
      EXPECT_EQ(values[i][j], values[j][i]) << i << ", " << j;
    }
    nonzeros += static_cast<double>(others) + 1;
  }
  EXPECT_EQ(answer["figures"]["nonzeros"], nonzeros);
}

TEST_F(DirectionVerbsTest, TheTableOfGramBeginsWithTheMostNeighbors) {
  const Numbers neighbors = NumbersOf(AskForJson(OfForty("gram")), "neighbors");
  const std::vector<Words> lines = AskForLines(OfForty("gram", {"--limit", "3"}));
  EXPECT_THAT(lines[0], ElementsAre("feature", "neighbors", "neighbor_sum"));
  const auto most = std::max_element(neighbors.begin(), neighbors.end());
  EXPECT_EQ(lines[1].at(0), absl::StrCat(most - neighbors.begin()));
  EXPECT_EQ(lines[1].at(1), absl::StrCat(*most));
  EXPECT_THAT(lines[4], testing::IsSupersetOf({"3", "of", "40", "rows;"}));
}

// The trace of C, whose diagonal is 1, and of C C.
TEST_F(DirectionVerbsTest, EigenvaluesHaveTheSumsOfTheirMatrix) {
  const json answer = AskForJson(OfForty("spectrum"));
  const Numbers eigenvalues = NumbersOf(answer, "eigenvalue");
  ASSERT_THAT(eigenvalues, SizeIs(40));
  EXPECT_TRUE(std::is_sorted(eigenvalues.rbegin(), eigenvalues.rend())) << "the largest first";
  EXPECT_NEAR(SumOf(eigenvalues), 40, 1e-3);
  double squares = 0;
  for (const Numbers& row : MatrixOf(AskForJson(OfForty("gram", {"--values"})), "values")) squares += SumOfSquares(row);
  EXPECT_NEAR(SumOfSquares(eigenvalues), squares, 1e-3);
  const auto negative = std::count_if(eigenvalues.begin(), eigenvalues.end(), [](double l) { return l < 0; });
  EXPECT_EQ(answer["figures"]["negative_count"], negative);
}

TEST_F(DirectionVerbsTest, TheLargestEigenvaluesAreThoseOfAll) {
  const Numbers all = NumbersOf(AskForJson(OfForty("spectrum")), "eigenvalue");
  const Numbers three = NumbersOf(AskForJson(OfForty("spectrum", {"-k", "3"})), "eigenvalue");
  EXPECT_THAT(three, ElementsAre(DoubleNear(all[0], 1e-9), DoubleNear(all[1], 1e-9), DoubleNear(all[2], 1e-9)));
  const json by_magnitude = AskForJson(OfForty("spectrum", {"--by-magnitude"}));
  const Numbers sizes = NumbersOf(by_magnitude, "singular_value"), signs = NumbersOf(by_magnitude, "sign");
  EXPECT_TRUE(std::is_sorted(sizes.rbegin(), sizes.rend()));
  for (size_t i = 0; i < 40; ++i) EXPECT_NEAR(sizes[i] * signs[i], NumbersOf(by_magnitude, "eigenvalue")[i], 1e-9);
  const std::vector<Words> lines = AskForLines(OfForty("spectrum", {"-k", "3"}));
  EXPECT_THAT(lines[0], ElementsAre("place", "eigenvalue", "singular_value", "sign"));
  EXPECT_EQ(lines[3].at(0), "3");
}

TEST_F(DirectionVerbsTest, VectorsComeWithTheFeaturesWhoseRowsTheyAre) {
  const json answer = AskForJson({"spectrum", "1", "--features", "9,3,17", "--theta=-1", "--vectors"});
  EXPECT_EQ(answer["tensors"]["feature"], json({9, 3, 17}));
  const Matrix U = MatrixOf(answer, "U");
  ASSERT_THAT(U, AllOf(SizeIs(3), Each(SizeIs(3))));
  for (const Numbers& row : U) EXPECT_NEAR(SumOfSquares(row), 1, 1e-5);
  EXPECT_FALSE(AskForJson(OfForty("spectrum"))["tensors"].contains("U"));
}

TEST_F(DirectionVerbsTest, WhiteningKeepsTheEigenvaluesAboveItsCutOff) {
  const Numbers eigenvalues = NumbersOf(AskForJson(OfForty("spectrum")), "eigenvalue");
  const auto above = std::count_if(eigenvalues.begin(), eigenvalues.end(), [](double l) { return l > 0.5; });
  ASSERT_GT(above, 0);
  ASSERT_LT(above, 40) << "something is cut";
  const json answer = AskForJson(OfForty("whiten", {"--cutoff", "0.5"}));
  EXPECT_THAT(NumbersOf(answer, "eigenvalue"), AllOf(SizeIs(above), Each(Gt(0.5))));
  EXPECT_THAT(MatrixOf(answer, "features"), AllOf(SizeIs(above), Each(SizeIs(32))));
  EXPECT_EQ(answer["figures"]["kept"], above);
  EXPECT_EQ(answer["figures"]["cutoff"], 0.5);
  EXPECT_EQ(answer["spec"]["whitening"]["form"], "WHITENING_FORM_EIGEN");
  EXPECT_THAT(NumbersOf(AskForJson(OfForty("whiten", {"-k", "2"})), "eigenvalue"), SizeIs(2));
  const json notebook = AskForJson(OfForty("whiten", {"--form", "notebook"}));
  EXPECT_EQ(notebook["spec"]["whitening"]["form"], "WHITENING_FORM_NOTEBOOK");
  const std::vector<Words> lines = AskForLines(OfForty("whiten", {"--cutoff", "0.5"}));
  EXPECT_THAT(lines[0], ElementsAre("place", "eigenvalue"));
  EXPECT_THAT(lines, testing::Contains(Words{"kept", absl::StrCat(above)}));
}

TEST_F(DirectionVerbsTest, WhatWasNotSaidIsTheServersDefault) {
  const std::map<std::string, std::string> questions = {
      {"gram", "gram"}, {"spectrum", "spectrum"}, {"whiten", "whitening"}};
  for (const auto& [verb, question] : questions) {
    const json spec = AskForJson({verb, "--layer", "1", "--features", "0:40"})["spec"][question];
    EXPECT_EQ(spec["theta"], 0.5) << verb;
    EXPECT_EQ(spec["directions"]["transcoder"], "models/tiny/transcoders/layer1") << verb;
    EXPECT_EQ(spec["directions"]["kind"], "DECODER_KIND_REAL") << verb;
  }
  EXPECT_EQ(AskForJson({"whiten", "1"})["spec"]["whitening"]["cutoff"], 0.01);
  const json spectrum = AskForJson(OfForty("spectrum", {"--tolerance", "1e-4", "--max-iterations", "7"}))["spec"];
  EXPECT_EQ(spectrum["spectrum"]["tolerance"], 1e-4);
  EXPECT_EQ(spectrum["spectrum"]["max_iterations"], 7);
}

TEST_F(DirectionVerbsTest, OneDirectionIsEnough) {
  const auto of_one = [](const std::string& verb) { return AskForJson({verb, "1", "--features", "7"}); };
  EXPECT_THAT(NumbersOf(of_one("gram"), "neighbors"), ElementsAre(0));
  EXPECT_THAT(NumbersOf(of_one("spectrum"), "eigenvalue"), ElementsAre(DoubleNear(1, 1e-6)));
  EXPECT_THAT(MatrixOf(of_one("whiten"), "features"), ElementsAre(SizeIs(32)));
}

TEST_F(DirectionVerbsTest, FactorsAreDirectionsToo) {
  const std::string made = AskForJson(FactorizeWith({"--stability-runs", "0"}))["factorization"]["factorization"];
  EXPECT_THAT(NumbersOf(AskForJson({"gram", made}), "factor"), SizeIs(12));
  EXPECT_EQ(AskForLines({"gram", made})[0].at(0), "factor");
  EXPECT_NEAR(SumOf(NumbersOf(AskForJson({"spectrum", made}), "eigenvalue")), 12, 1e-4);
  EXPECT_THAT(MatrixOf(AskForJson({"whiten", made}), "features"), Each(SizeIs(32)));
}

TEST_F(DirectionVerbsTest, PredictedDecodersThatAreNotDefinedAreCounted) {
  const json trained = AskForJson({"train", "--layer", "1", "--corpus", "rows", "--steps", "5"});
  const json collected = AskForJson({"collect", "--midcoder", trained["trained_midcoders"]["midcoders"][0]});
  const std::string snapshot = collected["collected_snapshots"]["snapshots"][0];
  const json answer = AskForJson({"gram", "--snapshot", snapshot, "--kind", "predicted", "--method", "no-gate"});
  EXPECT_EQ(answer["spec"]["gram"]["directions"]["method"], "PREDICTION_METHOD_NO_GATE");
  EXPECT_EQ(NumbersOf(answer, "feature").size() + answer["figures"]["undefined_directions"].get<double>(), 256);
  const std::string undefined = OneThatIsNotIn(NumbersOf(answer, "feature"));
  ASSERT_NE(undefined, "") << "a feature that was never active";
  for (const char* verb : {"gram", "spectrum", "whiten"}) {
    ExpectRefused({verb, "--snapshot", snapshot, "--kind", "predicted", "--features", undefined}, 1,
                  {"EMPTY_SELECTION", "predicted"});
  }
  const std::string one_of_two = absl::StrCat(undefined, ",", NumbersOf(answer, "feature").at(0));
  ExpectRefused({"factorize", "--snapshot", snapshot, "--kind", "predicted", "--features", one_of_two}, 1,
                {"EMPTY_SELECTION", "1 are not defined", "2 or more"});
}

TEST_F(DirectionVerbsTest, AQuestionThatBecomesAJobIsWaitedFor) {
  const Outcome outcome = Ask({"spectrum", "1", "--features", ManyFeatures(600), "-k", "3"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(": succeeded"));
  EXPECT_THAT(outcome.out, HasSubstr("eigenvalue"));
}

// Each of 256 directions nine times: the matrix is that of the 256 in each of nine times nine blocks.
TEST_F(DirectionVerbsTest, ManyDirectionsAreIteratedOnAndTellHowFarThatWent) {
  const Words nine_times = {"spectrum", "1", "--features", ManyFeatures(9 * 256), "-k", "3"};
  const Numbers once = NumbersOf(AskForJson({"spectrum", "1", "-k", "3"}), "eigenvalue");
  const json answer = AskForJson(nine_times);
  const Numbers eigenvalues = NumbersOf(answer, "eigenvalue"), residuals = NumbersOf(answer, "residual");
  ASSERT_THAT(eigenvalues, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(eigenvalues[i], 9 * once[i], 1e-3) << i;
  EXPECT_EQ(answer["figures"]["converged"], 3);
  EXPECT_THAT(residuals, AllOf(SizeIs(3), Each(testing::Le(1e-6 * eigenvalues[0]))));
  const std::vector<Words> lines = AskForLines(nine_times);
  EXPECT_THAT(lines[0], ElementsAre("place", "eigenvalue", "singular_value", "sign", "residual"));
  EXPECT_THAT(lines, testing::Contains(Words{"converged", "3"}));
}

TEST_F(DirectionVerbsTest, AnAnswersTensorsAreFiles) {
  const std::map<std::string, std::string> questions = {
      {"gram", "float32 [40, 40]"}, {"spectrum", "float64 [40]"}, {"whiten", "float32 ["}};
  for (const auto& [verb, described] : questions) {
    const std::string path = folder_.File(verb + ".npy");
    EXPECT_THAT(Ask(OfForty(verb, {"-o", path})).out, HasSubstr(absl::StrCat(path, ": ", described)))
        << "its main tensor";
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  const json all = AskForJson(OfForty("spectrum", {"--vectors", "-o", folder_.File("all")}));
  for (const char* name : {"eigenvalue", "singular_value", "sign", "U", "V", "feature"}) {
    EXPECT_TRUE(std::filesystem::exists(folder_.File(absl::StrCat("all/", name, ".npy")))) << name;
    EXPECT_EQ(all["tensors"][name]["file"], folder_.File(absl::StrCat("all/", name, ".npy")));
  }
  ExpectRefused(OfForty("whiten", {"-o", "/no/such/folder/x.npy"}), 1, {"FILE_WRITE_FAILED"});
}

TEST_F(DirectionVerbsTest, WrongOptionsSayWhatWouldBeRight) {
  constexpr int kUsage = 2;
  for (const char* verb : {"gram", "spectrum", "whiten"}) {
    ExpectRefused({verb}, kUsage, {"A layer, a transcoder's name or --snapshot"});
    ExpectRefused({verb, "ab12"}, kUsage, {"'ab12'", "factorizations/ab12"});
    ExpectRefused({verb, "1", "--theta", "half"}, kUsage, {"--theta", "half"});
    ExpectRefused({verb, "1", "--features", "few"}, kUsage, {"--features", "few"});
    ExpectRefused({verb, "1", "--limit=-1"}, kUsage, {"--limit", "0 or more"});
    ExpectRefused({verb, "factorizations/a", "--top", "5"}, kUsage, {"factorizations/a", "do not go with it"});
  }
  ExpectRefused({"gram", "1", "--cutoff", "1"}, kUsage, {"--cutoff"});
  ExpectRefused({"spectrum", "1", "-k", "0"}, kUsage, {"-k", "1 or more"});
  ExpectRefused({"whiten", "1", "--form", "pca"}, kUsage, {"--form", "pca", "eigen", "notebook"});
}

TEST_F(DirectionVerbsTest, QuestionsWithoutAnAnswerAreExplained) {
  for (const char* verb : {"gram", "spectrum", "whiten"}) {
    ExpectRefused({verb, "1", "--theta", "2"}, 1, {"CONFIG_INVALID", "theta is 2", "-1 .. 1"});
    ExpectRefused({verb, "1", "--features", "band:5,6"}, 1, {"EMPTY_SELECTION", "log10 frequency"});
    ExpectRefused({verb, "1", "--features", "256"}, 1, {"FEATURE_OUT_OF_RANGE", "256"});
    ExpectRefused({verb, "1", "--kind", "predicted"}, 1, {"CONFIG_INVALID", "snapshot"});
  }
  ExpectRefused({"spectrum", "1", "--tolerance", "2"}, 1, {"CONFIG_INVALID", "tolerance is 2", "between 0 and 1"});
  ExpectRefused({"spectrum", "1", "--max-iterations", "0"}, 1, {"CONFIG_INVALID", "max_iterations is 0", "1 or more"});
  ExpectRefused({"whiten", "1", "--cutoff=-1"}, 1, {"CONFIG_INVALID", "cutoff is -1", "not negative"});
  ExpectRefused({"gram", "1", "--features", ManyFeatures(5000)}, 1, {"CONFIG_INVALID", "5000 features", "4096"});
}

TEST_F(DirectionVerbsTest, ExitCodesTellWhatIsNotThere) {
  for (const char* verb : {"gram", "spectrum", "whiten"}) {
    ExpectRefused({verb, "2"}, 3, {"TRANSCODER_NOT_FOUND"});
    ExpectRefused({verb, "1", "--snapshot", "none"}, 3, {"SNAPSHOT_NOT_FOUND"});
    ExpectRefused({verb, "factorizations/none"}, 3, {"FACTORIZATION_NOT_FOUND"});
    const Outcome alone = RunProgram({verb, "1", "--server", "127.0.0.1:1", "--timeout", "20"});
    EXPECT_EQ(alone.code, 4) << alone.err;
  }
}

}  // namespace
}  // namespace superpose::cli
