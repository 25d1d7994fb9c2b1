// Questions to a factorization, against the real server: superpose explain.
#include <cmath>
#include <filesystem>

#include "tests/client/cli/asking_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsSupersetOf;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;

using Numbers = std::vector<double>;

Numbers NumbersOf(const json& answer, const std::string& tensor) { return answer["tensors"][tensor]; }

void ExpectLargestFirst(const Numbers& values) {
  for (size_t i = 1; i < values.size(); ++i) EXPECT_LE(std::abs(values[i]), std::abs(values[i - 1])) << i;
}

class ExplainVerbTest : public AskingTest {
 protected:
  static void SetUpTestSuite() {
    AskingTest::SetUpTestSuite();
    topk_ = Made({});
    gram_ = Made({"--form", "gram"});
  }
  static std::string Made(const Words& more) {
    return AskForJson(FactorizeWith(more))["factorization"]["factorization"];
  }
  static Words Explain(const std::string& factorization, const Words& question) {
    Words arguments = {"explain", factorization};
    arguments.insert(arguments.end(), question.begin(), question.end());
    return arguments;
  }

  static inline std::string topk_, gram_;
};

TEST_F(ExplainVerbTest, AFeatureIsMadeOfFactorsTheLargestCodeFirst) {
  const json answer = AskForJson(Explain(topk_, {"--feature", "17"}));
  EXPECT_EQ(answer["spec"]["factors_of_decoder"], json({{"factorization", topk_}, {"feature", 17}}));
  const Numbers factors = NumbersOf(answer, "factor"), codes = NumbersOf(answer, "code");
  EXPECT_THAT(factors, AllOf(SizeIs(AllOf(Ge(1U), Le(5U))), Each(AllOf(Ge(0), Le(11)))));
  EXPECT_THAT(codes, SizeIs(factors.size()));
  ExpectLargestFirst(codes);
  EXPECT_EQ(answer["figures"]["l0"], factors.size());
  EXPECT_THAT(answer["figures"]["error"].get<double>(), AllOf(Ge(0), Le(1)));
}

TEST_F(ExplainVerbTest, ItsTableHasWhatItsJsonHas) {
  const json answer = AskForJson(Explain(topk_, {"--feature", "17"}));
  const std::vector<Words> lines = AskForLines(Explain(topk_, {"--feature", "17"}));
  const Numbers factors = NumbersOf(answer, "factor");
  ASSERT_THAT(lines, SizeIs(Ge(1 + factors.size())));
  EXPECT_THAT(lines[0], ElementsAre("factor", "code", "cosine"));
  for (size_t i = 0; i < factors.size(); ++i) EXPECT_EQ(lines[1 + i].at(0), std::to_string(std::lround(factors[i])));
  EXPECT_THAT(lines, IsSupersetOf({Words{"l0", std::to_string(factors.size())}}));
}

TEST_F(ExplainVerbTest, ItsShortNameIsEnough) {
  const std::string id = topk_.substr(topk_.find('/') + 1);
  EXPECT_EQ(AskForJson(Explain(id, {"--factor", "3"})), AskForJson(Explain(topk_, {"--factor", "3"})));
}

TEST_F(ExplainVerbTest, FeaturesThatShareFactorsAreOthers) {
  const json answer = AskForJson(Explain(topk_, {"--feature", "17", "--shared", "-k", "5"}));
  EXPECT_EQ(answer["spec"]["shared_factors"]["k"], 5);
  const Numbers features = NumbersOf(answer, "feature");
  EXPECT_THAT(features, AllOf(SizeIs(5), Not(testing::Contains(17))));
  EXPECT_THAT(NumbersOf(answer, "shared"), Each(AllOf(Ge(1), Le(5))));
  ExpectLargestFirst(NumbersOf(answer, "overlap"));
  const std::vector<Words> lines = AskForLines(Explain(topk_, {"--feature", "17", "--shared", "--limit", "2"}));
  EXPECT_THAT(lines[0], ElementsAre("feature", "shared", "overlap", "cosine"));
  EXPECT_EQ(lines[1][0], std::to_string(std::lround(features[0])));
  EXPECT_THAT(lines[3], IsSupersetOf({"2", "of", "20", "rows;"})) << "20 are asked for, 2 are shown";
}

TEST_F(ExplainVerbTest, AFactorIsInDecodersByCodeOrByCosine) {
  const json by_code = AskForJson(Explain(topk_, {"--factor", "3", "-k", "4"}));
  EXPECT_EQ(by_code["spec"]["decoders_of_factor"]["by"], "FACTOR_MEASURE_CODE");
  EXPECT_THAT(NumbersOf(by_code, "code"), SizeIs(Le(4U)));
  ExpectLargestFirst(NumbersOf(by_code, "code"));
  const json by_cosine = AskForJson(Explain(topk_, {"--factor", "3", "-k", "4", "--by", "cosine"}));
  EXPECT_FALSE(by_cosine["tensors"].contains("code"));
  ExpectLargestFirst(NumbersOf(by_cosine, "cosine"));
  const std::vector<Numbers> block = by_cosine["tensors"]["block"];
  ASSERT_THAT(block, AllOf(SizeIs(4), Each(SizeIs(4))));
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(block[i][i], 1, 1e-5);
  EXPECT_THAT(AskForLines(Explain(topk_, {"--factor", "3", "--by", "cosine"}))[0], ElementsAre("feature", "cosine"));
}

TEST_F(ExplainVerbTest, AFactorizationMatchesItself) {
  const json answer = AskForJson(Explain(topk_, {"--match", topk_}));
  EXPECT_THAT(NumbersOf(answer, "match"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_NEAR(answer["figures"]["stability"].get<double>(), 1, 1e-6);
  const std::vector<Words> lines = AskForLines(Explain(topk_, {"--match", gram_}));
  EXPECT_THAT(lines[0], ElementsAre("factor", "matches", "factor", "cosine"));
  EXPECT_THAT(lines.back(), ElementsAre("stability", testing::_));
}

TEST_F(ExplainVerbTest, TheFormGramHasNoCodes) {
  EXPECT_FALSE(AskForJson(Explain(gram_, {"--feature", "17"}))["tensors"].contains("code"));
  EXPECT_THAT(AskForLines(Explain(gram_, {"--factor", "3"}))[0], ElementsAre("feature", "cosine"));
  ExpectRefused(Explain(gram_, {"--feature", "17", "--shared"}), 1, {"CONFIG_INVALID", "form gram", "by cosine"});
  ExpectRefused(Explain(gram_, {"--factor", "3", "--by", "code"}), 1, {"CONFIG_INVALID", "form gram", "by cosine"});
}

TEST_F(ExplainVerbTest, OneThatWasImportedSaysHowItGetsDecoders) {
  const Outcome imported = Ask({"factorizations", "import", SUPERPOSE_TEST_DATA "/factorization/reference.pt"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  const std::string name = imported.out.substr(0, imported.out.size() - 1);
  for (const char* of : {"--feature", "--factor"}) {
    ExpectRefused(Explain(name, {of, "1"}), 1, {"TENSOR_MISSING", "was imported", "0 epochs"});
  }
  EXPECT_THAT(NumbersOf(AskForJson(Explain(name, {"--match", name})), "match"), SizeIs(8));
  ExpectRefused(Explain(topk_, {"--match", name}), 1, {"TENSOR_SHAPE_MISMATCH", "32", "6"});
}

TEST_F(ExplainVerbTest, AnAnswersTensorsAreFiles) {
  const json all = AskForJson(Explain(topk_, {"--factor", "3", "-k", "4", "-o", folder_.File("all")}));
  for (const char* name : {"feature", "code", "cosine", "block"}) {
    EXPECT_EQ(all["tensors"][name]["file"], folder_.File(std::string("all/") + name + ".npy"));
    EXPECT_TRUE(std::filesystem::exists(folder_.File(std::string("all/") + name + ".npy"))) << name;
  }
  const std::string path = folder_.File("block.npy");
  const Outcome block = Ask(Explain(topk_, {"--factor", "3", "--by", "cosine", "-k", "4", "-o", path}));
  EXPECT_EQ(block.out, path + ": float32 [4, 4]\n");
  const Outcome ids = Ask(Explain(topk_, {"--feature", "17", "--shared", "-k", "4", "-o", folder_.File("ids.npy")}));
  EXPECT_EQ(ids.out, folder_.File("ids.npy") + ": int64 [4]\n");
  ExpectRefused(Explain(topk_, {"--feature", "17", "-o", "/no/such/folder/x.npy"}), 1, {"FILE_WRITE_FAILED"});
}

TEST_F(ExplainVerbTest, WrongOptionsSayWhatWouldBeRight) {
  constexpr int kUsage = 2;
  ExpectRefused({"explain"}, kUsage, {"FACTORIZATION"});
  ExpectRefused(Explain(topk_, {}), kUsage, {"--feature, --factor or --match"});
  ExpectRefused(Explain(topk_, {"--feature", "many"}), kUsage, {"--feature", "many"});
  ExpectRefused(Explain(topk_, {"--feature", "1", "--factor", "2"}), kUsage, {"--factor", "--feature"});
  ExpectRefused(Explain(topk_, {"--factor", "1", "--match", gram_}), kUsage, {"--match", "--factor"});
  ExpectRefused(Explain(topk_, {"--shared"}), kUsage, {"--shared", "--feature"});
  ExpectRefused(Explain(topk_, {"--feature", "1", "--by", "cosine"}), kUsage, {"--by", "--factor"});
  ExpectRefused(Explain(topk_, {"--factor", "1", "--by", "angle"}), kUsage, {"--by", "angle", "code", "cosine"});
  ExpectRefused(Explain(topk_, {"--feature", "1", "-k", "5"}), kUsage, {"-k", "--factor", "--shared"});
  ExpectRefused(Explain(topk_, {"--factor", "1", "-k", "0"}), kUsage, {"-k"});
  ExpectRefused(Explain(topk_, {"--factor", "1", "--limit=-1"}), kUsage, {"--limit", "0 or more"});
}

TEST_F(ExplainVerbTest, QuestionsWithoutAnAnswerAreExplained) {
  ExpectRefused(Explain(topk_, {"--feature", "200"}), 1, {"FEATURE_OUT_OF_RANGE", "200", "among the 80 decoders"});
  ExpectRefused(Explain(topk_, {"--feature=-1", "--shared"}), 1, {"FEATURE_OUT_OF_RANGE", "-1"});
  for (const char* factor : {"--factor=12", "--factor=-1"}) {
    ExpectRefused(Explain(topk_, {factor}), 1, {"CONFIG_INVALID", "are 0 .. 11"});
  }
}

TEST_F(ExplainVerbTest, ExitCodesTellWhatIsNotThere) {
  ExpectRefused(Explain("none", {"--feature", "1"}), 3, {"FACTORIZATION_NOT_FOUND"});
  ExpectRefused(Explain(topk_, {"--match", "none"}), 3, {"FACTORIZATION_NOT_FOUND"});
  const Outcome alone = RunProgram({"explain", "a", "--feature", "1", "--server", "127.0.0.1:1", "--timeout", "20"});
  EXPECT_EQ(alone.code, 4) << alone.err;
}

}  // namespace
}  // namespace superpose::cli
