#include "lib/tokenizer/tokenizer.h"

#include <filesystem>
#include <functional>
#include <numeric>
#include <utility>

#include "gmock/gmock.h"
#include "tests/lib/tokenizer/fixtures.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class TokenizerTest : public testing::Test {
 protected:
  TokenizerTest()
      : folder_(fs::path(testing::TempDir()) /
                (std::string("tokenizer_") + testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~TokenizerTest() override { fs::remove_all(folder_); }

  void Put(const std::string& name, const std::string& text) const {
    fs::remove(folder_ / name);  // the old content may still be mapped
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  absl::StatusOr<std::shared_ptr<const Tokenizer>> Load() const { return Tokenizer::Load(folder_.string()); }
  // The fixture's tokenizer.json after a change.
  absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadChanged(const std::function<void(Json&)>& change) const {
    Json json = JsonFixture("json/tokenizer.json");
    change(json);
    Put("tokenizer.json", json.dump());
    return Load();
  }

  const fs::path folder_;
};

void ExpectAsHuggingFace(const std::string& folder) {
  ASSERT_OK_AND_ASSIGN(auto tokenizer, Tokenizer::Load(Fixture(folder)));
  Json cases = JsonFixture(folder + "/cases.json");
  for (const Json& one : cases["encode"]) {
    std::string text = one["text"];
    ASSERT_OK_AND_ASSIGN(Ids ids, tokenizer->Encode(text, /*parse_special=*/true));
    EXPECT_EQ(ids, one["ids"].get<Ids>()) << one["text"];
    ASSERT_OK_AND_ASSIGN(Ids plain, tokenizer->Encode(text, /*parse_special=*/false));
    EXPECT_EQ(plain, one["ids_plain"].get<Ids>()) << one["text"];
    for (const Ids& some : {ids, plain}) {
      ASSERT_OK_AND_ASSIGN(std::string decoded, tokenizer->Decode(some));
      EXPECT_EQ(decoded, text);
    }
  }
  for (const Json& one : cases["decode"]) {
    ASSERT_OK_AND_ASSIGN(std::string decoded, tokenizer->Decode(one["ids"].get<Ids>()));
    EXPECT_EQ(decoded, one["text"].get<std::string>()) << one["ids"];
  }
}

TEST_F(TokenizerTest, TokenizerJsonGivesWhatHuggingFaceGives) { ExpectAsHuggingFace("json"); }
TEST_F(TokenizerTest, VocabAndMergesGiveWhatHuggingFaceGives) { ExpectAsHuggingFace("vocab_merges"); }

TEST_F(TokenizerTest, TheVocabularyCountsAddedTokens) {
  ASSERT_OK_AND_ASSIGN(auto json, Tokenizer::Load(Fixture("json")));
  EXPECT_EQ(json->vocab_size(), 403);
  ASSERT_OK_AND_ASSIGN(auto vocab_merges, Tokenizer::Load(Fixture("vocab_merges")));
  EXPECT_EQ(vocab_merges->vocab_size(), 400);
}

TEST_F(TokenizerTest, EveryTokenHasAText) {
  ASSERT_OK_AND_ASSIGN(auto tokenizer, Tokenizer::Load(Fixture("json")));
  for (int32_t id = 0; id < tokenizer->vocab_size(); ++id) {
    ASSERT_OK_AND_ASSIGN(std::string text, tokenizer->TokenText(id));
    ASSERT_OK_AND_ASSIGN(std::string decoded, tokenizer->Decode({id}));
    EXPECT_EQ(text, decoded);
    EXPECT_FALSE(text.empty()) << id;
  }
  ASSERT_OK_AND_ASSIGN(std::string special, tokenizer->TokenText(0));
  EXPECT_EQ(special, "<|endoftext|>");
}

TEST_F(TokenizerTest, IdsOutsideTheVocabularyAreErrors) {
  ASSERT_OK_AND_ASSIGN(auto tokenizer, Tokenizer::Load(Fixture("json")));
  for (int32_t id : {-1, 403, INT32_MAX, INT32_MIN}) {
    EXPECT_THAT(tokenizer->Decode({0, id}), IsError(kInvalid, reason::kTokenOutOfRange)) << id;
    EXPECT_THAT(tokenizer->TokenText(id), IsError(kInvalid, reason::kTokenOutOfRange)) << id;
  }
  ASSERT_OK_AND_ASSIGN(std::string nothing, tokenizer->Decode({}));
  EXPECT_EQ(nothing, "");
}

TEST_F(TokenizerTest, InvalidUtf8IsAnErrorThatSaysWhere) {
  ASSERT_OK_AND_ASSIGN(auto tokenizer, Tokenizer::Load(Fixture("json")));
  for (const char* tail : {"\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80"}) {
    auto ids = tokenizer->Encode(std::string("aé") + tail, true);
    EXPECT_THAT(ids, IsError(kInvalid, reason::kInvalidUtf8));
    EXPECT_THAT(ids, MessageHas("byte 3"));
  }
}

TEST_F(TokenizerTest, LongWordsAndManySpecialTokensAreEncoded) {
  ASSERT_OK_AND_ASSIGN(auto tokenizer, Tokenizer::Load(Fixture("vocab_merges")));
  ASSERT_OK_AND_ASSIGN(Ids ids, tokenizer->Encode(std::string(1'000'000, 'a'), true));
  ASSERT_OK_AND_ASSIGN(std::string text, tokenizer->Decode(ids));
  EXPECT_EQ(text, std::string(1'000'000, 'a'));
  std::string ends;
  for (int i = 0; i < 100'000; ++i) ends += "<|endoftext|>";
  ASSERT_OK_AND_ASSIGN(ids, tokenizer->Encode(ends, true));
  EXPECT_EQ(ids, Ids(100'000, 0));
}

TEST_F(TokenizerTest, TokenizerJsonGoesBeforeVocabAndMerges) {
  fs::copy(Fixture("vocab_merges/vocab.json"), folder_ / "vocab.json");
  EXPECT_THAT(Load(), IsError(absl::StatusCode::kNotFound, reason::kTokenizerMissing));
  fs::copy(Fixture("vocab_merges/merges.txt"), folder_ / "merges.txt");
  ASSERT_OK_AND_ASSIGN(auto tokenizer, Load());
  EXPECT_EQ(tokenizer->vocab_size(), 400);
  fs::copy(Fixture("json/tokenizer.json"), folder_ / "tokenizer.json");
  ASSERT_OK_AND_ASSIGN(tokenizer, Load());
  EXPECT_EQ(tokenizer->vocab_size(), 403);
}

TEST_F(TokenizerTest, AMissingFolderIsAnErrorAndNoException) {
  for (const std::string& folder :
       {folder_.string(), (folder_ / "none").string(), std::string(10'000, 'x'), std::string()})
    EXPECT_THAT(Tokenizer::Load(folder), IsError(absl::StatusCode::kNotFound, reason::kTokenizerMissing));
}

TEST_F(TokenizerTest, MergesWithWindowsLineEndsAreRead) {
  fs::copy(Fixture("vocab_merges/vocab.json"), folder_ / "vocab.json");
  Put("merges.txt", "#version: 0.2\r\nh e\r\nt he\r\n\r\n");
  ASSERT_OK_AND_ASSIGN(auto tokenizer, Load());
  ASSERT_OK_AND_ASSIGN(Ids ids, tokenizer->Encode("the", true));
  ASSERT_EQ(ids.size(), 1);
  EXPECT_EQ(*tokenizer->TokenText(ids[0]), "the");
}

TEST_F(TokenizerTest, OfAMergeThatStandsTwiceTheLastCounts) {
  ASSERT_OK_AND_ASSIGN(auto tokenizer, LoadChanged([](Json& json) {
                         json["model"]["vocab"]["ab"] = 403;
                         json["model"]["vocab"]["bc"] = 404;
                         json["model"]["merges"] = Json::parse(R"([["a","b"],["b","c"],["a","b"]])");
                       }));
  ASSERT_OK_AND_ASSIGN(Ids ids, tokenizer->Encode("abc", true));
  ASSERT_EQ(ids.size(), 2);
  EXPECT_EQ(ids[1], 404);
}

TEST_F(TokenizerTest, TokensThatAreNotNormalizedAreLookedForFirst) {
  ASSERT_OK_AND_ASSIGN(auto tokenizer, LoadChanged([](Json& json) {
                         Json early = json["added_tokens"][2];
                         early["content"] = "a<sep";
                         early["id"] = 403;
                         early["normalized"] = true;
                         json["added_tokens"].push_back(early);
                       }));
  ASSERT_OK_AND_ASSIGN(Ids ids, tokenizer->Encode("a<sep>a<sep", true));
  ASSERT_EQ(ids.size(), 3);
  EXPECT_EQ(ids[1], 401);
  EXPECT_EQ(ids[2], 403);
}

TEST_F(TokenizerTest, ThousandsOfAddedTokensAreFoundInALongText) {
  constexpr int32_t kFirst = 403;
  constexpr int32_t kTokens = 20'000;
  ASSERT_OK_AND_ASSIGN(auto tokenizer, LoadChanged([](Json& json) {
                         for (int32_t i = 0; i < kTokens; ++i) {
                           Json token = json["added_tokens"][0];
                           token["content"] = "<|extra " + std::to_string(i) + "|>";
                           token["id"] = kFirst + i;
                           json["added_tokens"].push_back(token);
                         }
                       }));
  std::string text;
  Ids wanted;
  for (int32_t i = 0; i < 100'000; ++i) {
    text += "<|extra " + std::to_string(i * 7 % kTokens) + "|>q";
    wanted.push_back(kFirst + i * 7 % kTokens);
  }
  ASSERT_OK_AND_ASSIGN(const Ids q, tokenizer->Encode("q", true));
  ASSERT_OK_AND_ASSIGN(Ids ids, tokenizer->Encode(text, true));
  EXPECT_EQ(std::erase(ids, q.front()), wanted.size());
  EXPECT_EQ(ids, wanted);
}

TEST_F(TokenizerTest, WhatIsNotSupportedIsNamed) {
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> cases = {
      {"BPE", [](Json& j) { j["model"]["type"] = "Unigram"; }},
      {"dropout", [](Json& j) { j["model"]["dropout"] = 0.1; }},
      {"unk_token", [](Json& j) { j["model"]["unk_token"] = "<unk>"; }},
      {"continuing_subword_prefix", [](Json& j) { j["model"]["continuing_subword_prefix"] = "##"; }},
      {"end_of_word_suffix", [](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }},
      {"byte_fallback", [](Json& j) { j["model"]["byte_fallback"] = true; }},
      {"ignore_merges", [](Json& j) { j["model"]["ignore_merges"] = true; }},
      {"normalizer", [](Json& j) { j["normalizer"] = {{"type", "NFC"}}; }},
      {"pre_tokenizer", [](Json& j) { j["pre_tokenizer"] = nullptr; }},
      {"pre_tokenizer", [](Json& j) { j.erase("pre_tokenizer"); }},
      {"Whitespace", [](Json& j) { j["pre_tokenizer"] = {{"type", "Whitespace"}}; }},
      {"add_prefix_space", [](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }},
      {"pattern", [](Json& j) { j["pre_tokenizer"]["use_regex"] = false; }},
      {"lstrip", [](Json& j) { j["added_tokens"][0]["lstrip"] = true; }},
      {"single_word", [](Json& j) { j["added_tokens"][0]["single_word"] = true; }},
      {"lacks byte", [](Json& j) { j["model"]["vocab"].erase("q"); }},
  };
  for (const auto& [named, change] : cases) {
    auto tokenizer = LoadChanged(change);
    EXPECT_THAT(tokenizer, IsError(kPrecondition, reason::kTokenizerUnsupported)) << named;
    EXPECT_THAT(tokenizer, MessageHas(named));
  }
}

TEST_F(TokenizerTest, WrongTokenizerJsonIsCorrupt) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& j) { j = Json::array(); },
      [](Json& j) { j.erase("model"); },
      [](Json& j) { j["model"].erase("vocab"); },
      [](Json& j) { j["model"].erase("merges"); },
      [](Json& j) { j["model"]["type"] = 1; },
      [](Json& j) { j["model"]["vocab"] = Json::array(); },
      [](Json& j) { j["model"]["vocab"]["q"] = -1; },
      [](Json& j) { j["model"]["vocab"]["q"] = "1"; },
      [](Json& j) { j["model"]["vocab"]["q"] = 1.5; },
      [](Json& j) { j["model"]["vocab"]["q"] = int64_t{1} << 40; },
      [](Json& j) { j["model"]["merges"] = Json::parse(R"([["q","q"]])"); },
      [](Json& j) { j["model"]["merges"] = Json::parse(R"([["h","e","t"]])"); },
      [](Json& j) { j["model"]["merges"] = Json::parse(R"(["the"])"); },
      [](Json& j) { j["model"]["merges"] = Json::parse("[1]"); },
      [](Json& j) { j["added_tokens"] = 1; },
      [](Json& j) { j["added_tokens"][0].erase("id"); },
      [](Json& j) { j["added_tokens"][0]["id"] = int64_t{1} << 40; },
      [](Json& j) { j["added_tokens"][0]["id"] = 1 << 24; },  // one token would take tables of half a GB
      [](Json& j) { j["model"]["vocab"]["the"] = 100'000; },
      [](Json& j) { j["added_tokens"][0]["content"] = ""; },
      [](Json& j) { j["pre_tokenizer"]["type"] = 1; },
      [](Json& j) { j["pre_tokenizer"]["use_regex"] = "yes"; },
  };
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_THAT(LoadChanged(changes[i]), IsError(kInvalid, reason::kFileCorrupt)) << i;
}

TEST_F(TokenizerTest, DamagedFilesAreCorrupt) {
  std::string whole = JsonFixture("json/tokenizer.json").dump();
  for (size_t size = 0; size < whole.size(); size += 97) {
    Put("tokenizer.json", whole.substr(0, size));
    EXPECT_THAT(Load(), IsError(kInvalid, reason::kFileCorrupt)) << size;
  }
  Put("tokenizer.json", std::string(1'000'000, '['));
  EXPECT_THAT(Load(), IsError(kInvalid, reason::kFileCorrupt));
  fs::remove(folder_ / "tokenizer.json");
  fs::copy(Fixture("vocab_merges/vocab.json"), folder_ / "vocab.json");
  for (const char* merges : {"t h e\n", "the\n", "t  h\n", "q q\n"}) {
    Put("merges.txt", merges);
    EXPECT_THAT(Load(), IsError(kInvalid, reason::kFileCorrupt)) << merges;
  }
  Put("vocab.json", "{");
  EXPECT_THAT(Load(), IsError(kInvalid, reason::kFileCorrupt));
}

// Texts of pieces that make borders hard to tell: what words may begin and end with, in several scripts.
class RandomTexts {
 public:
  std::string Next() {
    static const std::vector<std::string> kPieces = {
        "a",      "the",    " the",   "'s",     "'t",      "'",      "0",      "202",    ".",
        "..",     " ",      " ",      "  ",     "\n",      "\n",     "\t",     "\r\n",   "\v",
        "日",     "本",     "。",     "é",      "e\u0301", "Ⅷ",      "٣",      "😀",     "\u00A0",
        "\u3000", "\u2028", "\u0085", "\u200B", "\u1680",  "\u2009", "\u202F", "\u205F", "\x01",
        "\x7F",   "\x1C",   "<sep>",  "<sep",   "2>",      "of two", "of",     "two",    "<|endoftext|>"};
    std::string text;
    for (uint32_t count = 1 + Random() % 24; count > 0; --count) text += kPieces[Random() % kPieces.size()];
    return text;
  }
  uint32_t Random() { return (state_ = state_ * 1664525 + 1013904223) >> 16; }

 private:
  uint32_t state_ = 7;
};

TEST_F(TokenizerTest, PartsBetweenSafeCutsHaveTheIdsOfTheWhole) {
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, LoadChanged([](Json& json) {
                         Json token = json["added_tokens"][2];
                         for (const char* text : {"of two", "e\nt", "日 "}) {
                           token["content"] = text;
                           token["id"] = 403 + json["added_tokens"].size();
                           token["normalized"] = std::string(text) == "of two";
                           json["added_tokens"].push_back(token);
                         }
                       }));
  RandomTexts texts;
  int parts = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = texts.Next();
    const bool parse_special = i % 2 == 0;
    ASSERT_OK_AND_ASSIGN(const Ids whole, tokenizer->Encode(text, parse_special));
    Ids together;
    for (absl::string_view rest = text; !rest.empty(); ++parts) {
      const absl::string_view part = rest.substr(0, tokenizer->SafeCut(rest, 1 + texts.Random() % 6));
      ASSERT_FALSE(part.empty());
      ASSERT_OK_AND_ASSIGN(const Ids ids, tokenizer->Encode(part, parse_special));
      together.insert(together.end(), ids.begin(), ids.end());
      rest.remove_prefix(part.size());
    }
    ASSERT_EQ(together, whole) << text;
  }
  EXPECT_GT(parts, 40'000) << "most texts are cut";
}

TEST_F(TokenizerTest, ASafeCutIsFoundInAnyScriptAndNotInsideAToken) {
  ASSERT_OK_AND_ASSIGN(const auto tokenizer,
                       LoadChanged([](Json& json) { json["added_tokens"][2]["content"] = "of two"; }));
  EXPECT_EQ(tokenizer->SafeCut("日本語。\n日本語。\n", 1), 12U);
  EXPECT_EQ(tokenizer->SafeCut("日本語。\n日本語。\n", 13), 25U);
  EXPECT_EQ(tokenizer->SafeCut("one of two and", 1), 3U);
  EXPECT_EQ(tokenizer->SafeCut("one of two and", 4), 10U) << "\"of two\" is one token";
  EXPECT_EQ(tokenizer->SafeCut("one", 1), 3U);
  EXPECT_EQ(tokenizer->SafeCut("one", 9), 3U);
  EXPECT_EQ(tokenizer->SafeCut("", 1), 0U);
}

TEST_F(TokenizerTest, AWordThatIsTooLongToBeEncodedIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::Load(Fixture("json")));
  for (const char c : {'q', ' ', '\0'}) {
    const auto ids = tokenizer->Encode(std::string((size_t{16} << 20) + 1, c), true);
    EXPECT_THAT(ids, IsError(kInvalid, reason::kFileUnsupported));
    EXPECT_THAT(ids, MessageHas("16777217 bytes"));
  }
}

}  // namespace
}  // namespace superpose
