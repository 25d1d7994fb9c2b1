#include "lib/corpus/corpus.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "gmock/gmock.h"
#include "lib/corpus/text_documents.h"
#include "lib/tensor_io/npy.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kBos = 300, kEos = 301, kVocabulary = 302;
constexpr int64_t kAb = 256;  // the one merge; below it, a byte is its own id

using Rows = std::vector<std::vector<int64_t>>;

std::string Utf8(int code_point) {
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xC0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 0x3F))};
}

// GPT-2 spells a printable byte as the character of that number, and the others, in order, as characters from 256 on.
nlohmann::json ByteVocabulary() {
  nlohmann::json vocabulary;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 255 && byte != 173);
    vocabulary[Utf8(printable ? byte : next++)] = byte;
  }
  vocabulary["ab"] = kAb;
  return vocabulary;
}

std::string Line(const std::string& text) { return nlohmann::json{{"text", text}}.dump() + "\n"; }

template <typename Integer>
std::string LittleEndian(const std::vector<Integer>& ids) {
  std::string bytes;
  for (const Integer id : ids) {
    for (size_t byte = 0; byte < sizeof id; ++byte) bytes.push_back(static_cast<char>((id >> (8 * byte)) & 0xFF));
  }
  return bytes;
}

CorpusFiles FilesAt(const std::string& path, const std::string& token_dtype = "") {
  CorpusFiles files;
  files.paths = {path};
  files.token_dtype = token_dtype;
  return files;
}

class CorpusTest : public testing::Test {
 protected:
  using Loaded = absl::StatusOr<std::shared_ptr<const Corpus>>;

  void SetUp() override {
    folder_.Write("vocab.json", ByteVocabulary().dump());
    folder_.Write("merges.txt", "#version: 0.2\na b\n");
    ASSERT_OK_AND_ASSIGN(tokenizer_, Tokenizer::Load(folder_.path()));
  }
  Loaded Load(const CorpusFiles& files, int64_t vocab_size = kVocabulary, int64_t bos = kBos) const {
    return Corpus::Load(files, tokenizer_.get(), vocab_size, bos, std::min(kEos, vocab_size - 1));
  }
  Loaded LoadFile(const std::string& name, absl::string_view bytes) const {
    return Load(FilesAt(folder_.Write(name, bytes)));
  }
  Loaded LoadBin(absl::string_view bytes, const std::string& dtype) const {
    return Load(FilesAt(folder_.Write("ids.bin", bytes), dtype));
  }
  Loaded LoadNpy(const at::Tensor& ids, int64_t vocab_size = kVocabulary, int64_t bos = kBos) const {
    EXPECT_OK(WriteNpy(folder_.File("ids.npy"), ids));
    return Load(FilesAt(folder_.File("ids.npy")), vocab_size, std::min(bos, vocab_size - 1));
  }

  TestFolder folder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

Rows RowsOf(const at::Tensor& tokens) {
  EXPECT_EQ(tokens.scalar_type(), at::kLong);
  EXPECT_EQ(tokens.dim(), 2);
  Rows rows;
  for (int64_t row = 0; row < tokens.size(0); ++row) {
    const int64_t* ids = tokens.const_data_ptr<int64_t>() + row * tokens.size(1);
    rows.emplace_back(ids, ids + tokens.size(1));
  }
  return rows;
}

// All sequences, in order.
Rows Cut(const absl::StatusOr<std::shared_ptr<const Corpus>>& corpus, int64_t context_length,
         CorpusSplit split = CorpusSplit::kAll) {
  EXPECT_OK(corpus);
  if (!corpus.ok()) return {};
  const auto sequences = (*corpus)->Sequences(context_length, split);
  EXPECT_OK(sequences);
  if (!sequences.ok()) return {};
  EXPECT_EQ((*sequences)->length(), context_length);
  std::vector<int64_t> indices((*sequences)->count());
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(i);
  return RowsOf((*sequences)->Gather(indices));
}

absl::Status CutError(const absl::StatusOr<std::shared_ptr<const Corpus>>& corpus, int64_t context_length,
                      CorpusSplit split = CorpusSplit::kAll) {
  EXPECT_OK(corpus);
  return corpus.ok() ? (*corpus)->Sequences(context_length, split).status() : absl::OkStatus();
}

TEST_F(CorpusTest, ALongRowOfIdsIsCutAndEveryChunkStartsWithBos) {
  const auto corpus = LoadNpy(at::arange(10, at::kLong));
  EXPECT_EQ(Cut(corpus, 4), (Rows{{kBos, 0, 1, 2}, {kBos, 3, 4, 5}, {kBos, 6, 7, 8}}));
  EXPECT_EQ(Cut(corpus, 6), (Rows{{kBos, 0, 1, 2, 3, 4}, {kBos, 5, 6, 7, 8, 9}}));
  EXPECT_EQ(Cut(corpus, 11), (Rows{{kBos, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}));
  EXPECT_EQ(Cut(corpus, 2).size(), 10U);
  EXPECT_FALSE((*corpus)->is_array());
  EXPECT_EQ((*corpus)->documents(), 0);
  EXPECT_EQ((*corpus)->tokens(), 10);
}

TEST_F(CorpusTest, ARowTooShortForOneSequenceIsTooSmall) {
  const auto corpus = LoadNpy(at::arange(10, at::kLong));
  const absl::Status status = CutError(corpus, 12);
  EXPECT_THAT(status, IsError(kPrecondition, reason::kCorpusTooSmall));
  EXPECT_THAT(status, MessageHas("10 tokens"));
  EXPECT_THAT(CutError(corpus, std::numeric_limits<int64_t>::max()), IsError(kPrecondition, reason::kCorpusTooSmall));
}

TEST_F(CorpusTest, AnArraysRowsAreTheSequencesAsTheyAre) {
  const auto corpus = LoadNpy(at::tensor({5, 6, 7, 8, 9, 0}, at::kInt).view({2, 3}));
  EXPECT_EQ(Cut(corpus, 3), (Rows{{5, 6, 7}, {8, 9, 0}}));
  EXPECT_TRUE((*corpus)->is_array());
  EXPECT_EQ((*corpus)->row_length(), 3);
  EXPECT_EQ((*corpus)->tokens(), 6);
  EXPECT_THAT(CutError(corpus, 2), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(CutError(corpus, 4), MessageHas("3 tokens"));
  EXPECT_EQ(Cut(LoadNpy(at::tensor({5, 6}, at::kInt).view({2, 1})), 1), (Rows{{5}, {6}}));
}

TEST_F(CorpusTest, SequencesAreGatheredInAnyOrderAndAgain) {
  const auto corpus = LoadNpy(at::arange(9, at::kLong));
  ASSERT_OK_AND_ASSIGN(const auto sequences, (*corpus)->Sequences(4, CorpusSplit::kAll));
  EXPECT_EQ(RowsOf(sequences->Gather({2, 0, 2})), (Rows{{kBos, 6, 7, 8}, {kBos, 0, 1, 2}, {kBos, 6, 7, 8}}));
  EXPECT_EQ(sequences->Gather({}).sizes(), at::IntArrayRef({0, 4}));
}

TEST_F(CorpusTest, SequencesOutliveTheirCorpus) {
  auto tokens = LoadNpy(at::arange(4, at::kLong)), text = LoadFile("a.txt", "wxyz");
  ASSERT_OK_AND_ASSIGN(const auto ids, (*tokens)->Sequences(5, CorpusSplit::kAll));
  ASSERT_OK_AND_ASSIGN(const auto words, (*text)->Sequences(5, CorpusSplit::kAll));
  tokens->reset();
  text->reset();
  EXPECT_EQ(RowsOf(ids->Gather({0})), (Rows{{kBos, 0, 1, 2, 3}}));
  EXPECT_EQ(RowsOf(words->Gather({0})), (Rows{{kBos, 'w', 'x', 'y', 'z'}}));
}

TEST_F(CorpusTest, IdsMayHaveAnyIntegerType) {
  for (const at::ScalarType type :
       {at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kUInt16, at::kUInt32, at::kUInt64}) {
    EXPECT_EQ(Cut(LoadNpy(at::tensor({1, 127, 3}, at::kLong).to(type)), 4), (Rows{{kBos, 1, 127, 3}})) << type;
  }
}

TEST_F(CorpusTest, BinFilesAreLittleEndian) {
  const std::string narrow = LittleEndian<uint16_t>({1, 258, 3, 301});
  EXPECT_EQ(narrow.substr(2, 2), "\x02\x01");
  for (const char* dtype : {"", "uint16"}) EXPECT_EQ(Cut(LoadBin(narrow, dtype), 5), (Rows{{kBos, 1, 258, 3, 301}}));
  EXPECT_EQ(Cut(LoadBin(LittleEndian<uint32_t>({1, 258, 301}), "uint32"), 4), (Rows{{kBos, 1, 258, 301}}));
}

TEST_F(CorpusTest, DocumentsAreJoinedByEndOfTextAndMayBeEmpty) {
  // ab c <eos> <eos> x y z
  const auto corpus = LoadFile("docs.jsonl", Line("abc") + Line("") + Line("xyz"));
  EXPECT_EQ(Cut(corpus, 8), (Rows{{kBos, kAb, 'c', kEos, kEos, 'x', 'y', 'z'}}));
  EXPECT_EQ(Cut(corpus, 4), (Rows{{kBos, kAb, 'c', kEos}, {kBos, kEos, 'x', 'y'}}));
  EXPECT_EQ(Cut(corpus, 2).size(), 7U);
  EXPECT_EQ((*corpus)->documents(), 3);
  EXPECT_EQ((*corpus)->tokens(), 7);
  EXPECT_THAT(CutError(corpus, 9), IsError(kPrecondition, reason::kCorpusTooSmall));
}

TEST_F(CorpusTest, NoTokenReachesOverTheEndOfADocument) {
  EXPECT_EQ(Cut(LoadFile("docs.jsonl", Line("a") + Line("b")), 4), (Rows{{kBos, 'a', kEos, 'b'}}));
}

TEST_F(CorpusTest, EmptyDocumentsAtTheEndsCountTheirEndOfText) {
  EXPECT_EQ(Cut(LoadFile("docs.jsonl", Line("") + Line("x") + Line("")), 4), (Rows{{kBos, kEos, 'x', kEos}}));
}

TEST_F(CorpusTest, BlankLinesOtherFieldsAndBothLineEndsAreTaken) {
  const auto corpus = LoadFile("docs.jsonl", "\n{\"id\": 1, \"text\": \"x\"}\r\n  \t\n\r\n{\"text\": \"\\u0079\"}");
  EXPECT_EQ(Cut(corpus, 4), (Rows{{kBos, 'x', kEos, 'y'}}));
  EXPECT_EQ((*corpus)->documents(), 2);
}

TEST_F(CorpusTest, ATextFileIsOneDocumentOfPlainText) {
  const std::string text = "x\n\n<|endoftext|>\xC3\xA9\n";
  const auto corpus = LoadFile("book.txt", text);
  std::vector<int64_t> expected = {kBos};
  for (const char byte : text) expected.push_back(static_cast<uint8_t>(byte));
  EXPECT_EQ(Cut(corpus, static_cast<int64_t>(expected.size())), Rows{expected});
  EXPECT_EQ((*corpus)->documents(), 1);
}

// SHA-256 of the text, first 8 bytes, modulo 100, as Python's hashlib gives it: "document 35" 2, "document 59" 1,
// "a" 50, "b" 46, "hello" 42.
TEST_F(CorpusTest, TheTextItselfDecidesWhetherADocumentIsHeldOut) {
  EXPECT_TRUE(IsHeldout("document 35"));
  EXPECT_TRUE(IsHeldout("document 59"));
  for (const char* text : {"a", "b", "hello", "document 35 "}) EXPECT_FALSE(IsHeldout(text)) << text;
}

TEST_F(CorpusTest, EachSplitJoinsItsOwnDocuments) {
  const auto corpus = LoadFile("docs.jsonl", Line("a") + Line("document 35") + Line("b") + Line("document 59"));
  EXPECT_EQ(Cut(corpus, 4, CorpusSplit::kTrain), (Rows{{kBos, 'a', kEos, 'b'}}));
  const std::vector<int64_t> start = {kBos, 'd', 'o', 'c', 'u', 'm', 'e', 'n', 't', ' ', '3', '5', kEos, 'd'};
  EXPECT_EQ(Cut(corpus, 14, CorpusSplit::kHeldout), Rows{start});
  EXPECT_EQ(Cut(corpus, 24, CorpusSplit::kHeldout).size(), 1U);
  EXPECT_THAT(CutError(corpus, 25, CorpusSplit::kHeldout), IsError(kPrecondition, reason::kCorpusTooSmall));
  EXPECT_EQ(Cut(corpus, 28).size(), 1U);
  EXPECT_THAT(CutError(corpus, 29), MessageHas("27 tokens"));
}

TEST_F(CorpusTest, ASplitWithoutDocumentsIsTooSmall) {
  const absl::Status heldout = CutError(LoadFile("a.txt", "hello"), 2, CorpusSplit::kHeldout);
  EXPECT_THAT(heldout, IsError(kPrecondition, reason::kCorpusTooSmall));
  EXPECT_THAT(heldout, MessageHas("\"heldout\" has 0 tokens"));
  EXPECT_THAT(heldout, MessageHas("0 of 1 documents are held out: ask for split \"all\""));
  const auto corpus = LoadFile("b.txt", "document 35");
  EXPECT_THAT(CutError(corpus, 2, CorpusSplit::kTrain), IsError(kPrecondition, reason::kCorpusTooSmall));
  EXPECT_EQ(Cut(corpus, 12, CorpusSplit::kHeldout).size(), 1U);
}

TEST_F(CorpusTest, TokenFilesHaveNoSplit) {
  const auto row = LoadNpy(at::arange(10, at::kLong));
  for (const CorpusSplit split : {CorpusSplit::kTrain, CorpusSplit::kHeldout})
    EXPECT_THAT(CutError(row, 4, split), IsError(kInvalid, reason::kConfigInvalid));
  const auto array = LoadNpy(at::zeros({2, 4}, at::kLong));
  EXPECT_THAT(CutError(array, 4, CorpusSplit::kTrain), IsError(kInvalid, reason::kConfigInvalid));
}

TEST_F(CorpusTest, ContextLengthsThatHoldNoTokenAreRefused) {
  const auto corpus = LoadNpy(at::arange(10, at::kLong));
  for (const int64_t length : {int64_t{1}, int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()})
    EXPECT_THAT(CutError(corpus, length), IsError(kInvalid, reason::kConfigInvalid)) << length;
}

TEST_F(CorpusTest, TheContentHashIsOfTheIdsAndTheCut) {
  const at::Tensor ids = at::tensor({1, 2, 3, 4}, at::kInt);
  const std::string hash = (*LoadNpy(ids))->content_hash();
  EXPECT_THAT(hash, testing::MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ((*LoadNpy(ids.to(at::kLong)))->content_hash(), hash);
  EXPECT_EQ((*LoadBin(LittleEndian<uint16_t>({1, 2, 3, 4}), ""))->content_hash(), hash);
  EXPECT_NE((*LoadNpy(ids.view({2, 2})))->content_hash(), hash);
  EXPECT_NE((*LoadNpy(at::tensor({1, 2, 4, 3}, at::kInt)))->content_hash(), hash);
  EXPECT_NE((*LoadNpy(ids, kVocabulary, kBos - 1))->content_hash(), hash);
  const std::string two = (*LoadFile("a.jsonl", Line("xy") + Line("z")))->content_hash();
  EXPECT_NE((*LoadFile("b.jsonl", Line("x") + Line("yz")))->content_hash(), two);
}

// As Python's hashlib and struct give it: jobs of before go on only if it stays.
TEST_F(CorpusTest, TheContentHashIsOfTheseBytesForEver) {
  EXPECT_EQ((*LoadNpy(at::arange(1, 5, at::kLong)))->content_hash(),
            "113f23e4ff513a28a4c0b73734fa63bbe300783b7b51dbd46cfa975925352093");
  EXPECT_EQ((*LoadFile("a.jsonl", Line("xy") + Line("z")))->content_hash(),
            "1d5718798089087bfbf1689548ab4607fa14dec5f268d0bf63c2e875905c4ce9");
}

TEST_F(CorpusTest, IdsOutsideTheVocabularyAreNamed) {
  EXPECT_OK(LoadNpy(at::tensor({0, 9}, at::kLong), 10));
  for (const int64_t id : {int64_t{10}, int64_t{-1}, int64_t{1} << 40}) {
    at::Tensor ids = at::zeros({5000}, at::kLong);
    ids[4998] = id;
    const auto corpus = LoadNpy(ids, 10);
    EXPECT_THAT(corpus, IsError(kInvalid, reason::kTokenOutOfRange));
    EXPECT_THAT(corpus, MessageHas(absl::StrCat("token id ", id, " at position 4998")));
  }
  EXPECT_THAT(LoadNpy(at::tensor({int64_t{-1}}, at::kLong).view(at::kUInt64)),
              IsError(kInvalid, reason::kTokenOutOfRange));
  const CorpusFiles text = FilesAt(folder_.Write("a.txt", "ab"));
  EXPECT_OK(Load(text, kAb + 1, 0));
  EXPECT_THAT(Load(text, kAb, 0), IsError(kInvalid, reason::kTokenOutOfRange));
}

TEST_F(CorpusTest, ArraysThatHoldNoTokenIdsAreUnsupported) {
  for (const at::Tensor& array : {at::zeros({4}, at::kFloat), at::zeros({4}, at::kDouble), at::zeros({4}, at::kBool),
                                  at::zeros({}, at::kLong), at::zeros({1, 2, 3}, at::kLong)}) {
    const auto corpus = LoadNpy(array);
    EXPECT_THAT(corpus, IsError(kInvalid, reason::kFileUnsupported)) << array.sizes();
    EXPECT_THAT(corpus, MessageHas("ids.npy"));
  }
}

TEST_F(CorpusTest, FilesWithoutTokensAreEmpty) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{0}, {0, 3}, {3, 0}})
    EXPECT_THAT(LoadNpy(at::zeros(shape, at::kLong)), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(LoadBin("", ""), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(LoadFile("a.txt", ""), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(LoadFile("a.jsonl", ""), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(LoadFile("a.jsonl", "\n \n"), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(LoadFile("a.jsonl", Line("") + Line("")), IsError(kInvalid, reason::kEmptyInput));
}

TEST_F(CorpusTest, BinFilesThatLookLike32BitsAreRefusedUnlessTheirTypeIsSaid) {
  const std::vector<uint32_t> ids = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::string wide = LittleEndian<uint32_t>(ids);
  const auto refused = LoadBin(wide, "");
  EXPECT_THAT(refused, IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(refused, MessageHas("token_dtype to \"uint32\""));
  EXPECT_EQ((*LoadBin(wide, "uint32"))->tokens(), 8);
  EXPECT_EQ((*LoadBin(wide, "uint16"))->tokens(), 16) << "what is said is so";
  EXPECT_EQ((*LoadBin(wide.substr(4), ""))->tokens(), 14) << "so few may be chance";
  EXPECT_EQ((*LoadBin(wide + LittleEndian<uint16_t>({9}), ""))->tokens(), 17) << "no whole number of 32-bit ids";
  EXPECT_EQ((*LoadBin(LittleEndian<uint16_t>({0, 1}) + wide, ""))->tokens(), 18) << "one is not 0";
}

TEST_F(CorpusTest, BinFilesThatCannotBeReadAreRefused) {
  EXPECT_THAT(LoadBin("abc", "uint16"), IsError(kInvalid, reason::kFileCorrupt));
  EXPECT_THAT(LoadBin("abcdef", "uint32"), IsError(kInvalid, reason::kFileCorrupt));
  for (const char* dtype : {"int16", "UINT16", "uint8", "float32"}) {
    const auto corpus = LoadBin("abcd", dtype);
    EXPECT_THAT(corpus, IsError(kInvalid, reason::kConfigInvalid)) << dtype;
    EXPECT_THAT(corpus, MessageHas(dtype));
  }
}

TEST_F(CorpusTest, OtherEndingsAndMissingFilesAreNamed) {
  for (const char* name : {"a.csv", "a.parquet", "a", "npy", "a.TXT"}) {
    const auto corpus = LoadFile(name, "abcd");
    EXPECT_THAT(corpus, IsError(kInvalid, reason::kFileUnsupported)) << name;
    EXPECT_THAT(corpus, MessageHas(".jsonl"));
  }
  for (const char* name : {"nowhere.npy", "nowhere.bin", "nowhere.txt", "nowhere.jsonl"}) {
    const auto corpus = Load(FilesAt(folder_.File(name)));
    EXPECT_THAT(corpus, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
    EXPECT_THAT(corpus, MessageHas(name));
  }
}

TEST_F(CorpusTest, TextNeedsATokenizerAndTokenFilesDoNot) {
  for (const char* name : {"a.txt", "a.jsonl"}) {
    const CorpusFiles file = FilesAt(folder_.Write(name, Line("x")));
    EXPECT_THAT(Corpus::Load(file, nullptr, kVocabulary, kBos, kEos),
                IsError(kPrecondition, reason::kTokenizerMissing));
  }
  const CorpusFiles bin = FilesAt(folder_.Write("a.bin", LittleEndian<uint16_t>({1})));
  EXPECT_OK(Corpus::Load(bin, nullptr, kVocabulary, kBos, kEos));
}

TEST_F(CorpusTest, TextThatIsNoUtf8IsNamedByByteAndLine) {
  const auto text = LoadFile("a.txt", "ok\xFF");
  EXPECT_THAT(text, IsError(kInvalid, reason::kInvalidUtf8));
  EXPECT_THAT(text, MessageHas("byte 2"));
  EXPECT_THAT(LoadFile("cut.txt", "ok\xC3"), IsError(kInvalid, reason::kInvalidUtf8));
  const auto line = LoadFile("a.jsonl", Line("x") + "\n{\"text\": \"\xFF\"}\n");
  EXPECT_THAT(line, IsError(kInvalid, reason::kInvalidUtf8));
  EXPECT_THAT(line, MessageHas("line 3"));
}

TEST_F(CorpusTest, LinesThatAreNoDocumentsAreNamedByTheirNumber) {
  for (const char* line : {"text", "[]", "{}", "\"x\"", "{\"text\": 5}", "{\"text\": null}", "{\"Text\": \"x\"}",
                           "{\"text\": \"x\"", "{\"text\": \"x\"} {}", "{\"text\": \"\\ud800\"}"}) {
    const auto corpus = LoadFile("a.jsonl", Line("x") + line + "\n" + Line("y"));
    EXPECT_THAT(corpus, IsError(kInvalid, reason::kFileCorrupt)) << line;
    EXPECT_THAT(corpus, MessageHas("a.jsonl, line 2"));
  }
  EXPECT_THAT(LoadFile("deep.jsonl", std::string(100000, '[')), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(CorpusTest, OtherFieldsOfALineArePassedOverHoweverDeepTheyAre) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"text\":";
  objects += "1" + std::string(100'000, '}');
  const auto corpus = LoadFile("a.jsonl", "{\"a\": " + deep + ", \"text\": \"xy\", \"b\": " + objects + "}");
  EXPECT_EQ(Cut(corpus, 3), (Rows{{kBos, 'x', 'y'}}));
  for (const std::string& line : {deep, "{\"text\": " + deep + "}", "{\"text\": " + objects + "}"})
    EXPECT_THAT(LoadFile("b.jsonl", line), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(CorpusTest, FilesFollowOneAnotherAsOneCorpus) {
  CorpusFiles files;
  files.paths = {folder_.Write("b.jsonl", Line("ab") + Line("x")), folder_.Write("a.jsonl", Line("yz"))};
  const auto corpus = Load(files);
  EXPECT_EQ(Cut(corpus, 7), (Rows{{kBos, kAb, kEos, 'x', kEos, 'y', 'z'}}));
  EXPECT_EQ((*corpus)->documents(), 3);
  EXPECT_EQ((*corpus)->files(), 2);
  const auto one = LoadFile("all.jsonl", Line("ab") + Line("x") + Line("yz"));
  EXPECT_EQ((*corpus)->content_hash(), (*one)->content_hash()) << "where files end is no part of the content";
  EXPECT_EQ((*one)->files(), 1);
}

TEST_F(CorpusTest, TokenFilesFollowOneAnotherAsOneRow) {
  CorpusFiles files;
  for (const char* name : {"0.npy", "1.npy", "2.npy"}) files.paths.push_back(folder_.File(name));
  ASSERT_OK(WriteNpy(files.paths[0], at::tensor({1, 2, 3}, at::kLong)));
  ASSERT_OK(WriteNpy(files.paths[1], at::tensor({4}, at::kLong).to(at::kUInt16)));
  ASSERT_OK(WriteNpy(files.paths[2], at::tensor({5, 6, 7}, at::kInt)));
  const auto corpus = Load(files);
  EXPECT_EQ(Cut(corpus, 8), (Rows{{kBos, 1, 2, 3, 4, 5, 6, 7}}));
  EXPECT_EQ(Cut(corpus, 4), (Rows{{kBos, 1, 2, 3}, {kBos, 4, 5, 6}})) << "a chunk reaches over the ends of files";
  const auto one = LoadNpy(at::arange(1, 8, at::kLong));
  EXPECT_EQ((*corpus)->content_hash(), (*one)->content_hash());
}

TEST_F(CorpusTest, ArraysMustHaveRowsOfOneLength) {
  CorpusFiles files;
  for (const char* name : {"a.npy", "b.npy"}) files.paths.push_back(folder_.File(name));
  ASSERT_OK(WriteNpy(files.paths[0], at::zeros({2, 3}, at::kLong)));
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2, 4}, {6}}) {
    ASSERT_OK(WriteNpy(files.paths[1], at::zeros(shape, at::kLong)));
    const auto corpus = Load(files);
    EXPECT_THAT(corpus, IsError(kInvalid, reason::kFileUnsupported));
    EXPECT_THAT(corpus, MessageHas("b.npy"));
  }
  ASSERT_OK(WriteNpy(files.paths[1], at::ones({1, 3}, at::kLong)));
  EXPECT_EQ(Cut(Load(files), 3), (Rows{{0, 0, 0}, {0, 0, 0}, {1, 1, 1}}));
}

// By hand: NumPy's own files have their numbers at a multiple of 64.
TEST_F(CorpusTest, NumbersMayStandAtAnyPlaceInAFile) {
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string header = "{'descr': '<u4', 'fortran_order': False, 'shape': (3,), }" + std::string(shift, ' ') + "\n";
    std::string file("\x93NUMPY\x01\x00", 8);
    file +=
        LittleEndian<uint16_t>({static_cast<uint16_t>(header.size())}) + header + LittleEndian<uint32_t>({7, 258, 9});
    EXPECT_EQ(Cut(LoadFile("shifted.npy", file), 4), (Rows{{kBos, 7, 258, 9}})) << shift;
  }
}

TEST_F(CorpusTest, AnIdOutsideTheVocabularyIsNamedWithItsOwnFile) {
  CorpusFiles files;
  files.paths = {folder_.Write("good.bin", LittleEndian<uint16_t>({1, 2})),
                 folder_.Write("bad.bin", LittleEndian<uint16_t>({3, 999}))};
  const auto corpus = Load(files);
  EXPECT_THAT(corpus, IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(corpus, MessageHas("bad.bin"));
  EXPECT_THAT(corpus, MessageHas("token id 999 at position 1"));
}

TEST_F(CorpusTest, HeldOutDocumentsAndTheirTokensAreCounted) {
  const auto corpus = LoadFile("docs.jsonl", Line("a") + Line("document 35") + Line("b") + Line("document 59"));
  EXPECT_EQ((*corpus)->heldout_documents(), 2);
  EXPECT_EQ((*corpus)->heldout_tokens(), 11 + 1 + 11) << "the end-of-text between them counts";
  EXPECT_EQ((*LoadFile("none.jsonl", Line("a")))->heldout_tokens(), 0);
  const auto row = LoadNpy(at::arange(10, at::kLong));
  EXPECT_EQ((*row)->heldout_documents(), 0);
  EXPECT_EQ((*row)->heldout_tokens(), 0);
}

TEST_F(CorpusTest, TheModelsOwnIdsMustBeInItsVocabularyWhereTheyAreUsed) {
  const CorpusFiles row = FilesAt(folder_.Write("a.bin", LittleEndian<uint16_t>({1, 2})));
  for (const int64_t bad : {int64_t{-1}, int64_t{10}}) {
    const auto corpus = Corpus::Load(row, nullptr, 10, bad, 0);
    EXPECT_THAT(corpus, IsError(kInvalid, reason::kTokenOutOfRange));
    EXPECT_THAT(corpus, MessageHas("bos_token_id"));
    EXPECT_OK(Corpus::Load(row, nullptr, 10, 0, bad)) << "token files are not joined by end-of-text";
  }
  const auto text = Corpus::Load(FilesAt(folder_.Write("a.txt", "ab")), tokenizer_.get(), 300, 0, 300);
  EXPECT_THAT(text, IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(text, MessageHas("eos_token_id"));
  ASSERT_OK(WriteNpy(folder_.File("rows.npy"), at::zeros({2, 2}, at::kLong)));
  EXPECT_OK(Corpus::Load(FilesAt(folder_.File("rows.npy")), nullptr, 10, 99, 99)) << "rows are used as they are";
}

TEST_F(CorpusTest, ACorpusOfOneTokenIsTooSmallWhenItIsUsed) {
  for (const auto& corpus : {LoadBin(LittleEndian<uint16_t>({5}), ""), LoadFile("a.txt", "x")}) {
    ASSERT_OK(corpus);
    EXPECT_EQ((*corpus)->tokens(), 1);
    EXPECT_THAT(CutError(corpus, 3), IsError(kPrecondition, reason::kCorpusTooSmall));
    EXPECT_EQ(Cut(corpus, 2).size(), 1U);
  }
}

TEST_F(CorpusTest, AFormatThatIsGivenGoesBeforeTheNames) {
  CorpusFiles files = FilesAt(folder_.Write("5f3a", Line("xy")));
  files.format = ".jsonl";
  EXPECT_EQ(Cut(Load(files), 3), (Rows{{kBos, 'x', 'y'}}));
  files.format = ".txt";
  EXPECT_EQ((*Load(files))->tokens(), static_cast<int64_t>(Line("xy").size()));
}

TEST_F(CorpusTest, ReadingEndsWhenItIsCancelled) {
  CorpusFiles files = FilesAt(folder_.Write("a.jsonl", Line("x") + Line("y") + Line("z")));
  int asked = 0;
  files.is_cancelled = [&] { return ++asked > 2; };
  EXPECT_EQ(Load(files).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(CorpusTest, WrongTypesSayWhatWouldBeRight) {
  EXPECT_THAT(LoadNpy(at::zeros({4}, at::kFloat)), MessageHas("astype(numpy.uint16)"));
}

// Several parts of a MiB, of words of many kinds.
std::string LongText() {
  std::string text;
  for (int i = 0; text.size() < (size_t{5} << 19); ++i)
    absl::StrAppend(&text, "ab ", i, "  ab's日本語。\n \xC3\xA9\xE3\x80\x80 ab\t", std::string(i % 7, ' '), "\n");
  return text;
}

TEST_F(CorpusTest, ALongDocumentHasTheIdsOfItsTextEncodedAtOnce) {
  const std::string text = LongText();
  ASSERT_OK_AND_ASSIGN(const std::vector<int32_t> ids, tokenizer_->Encode(text, false));
  std::vector<int64_t> row = {kBos};
  row.insert(row.end(), ids.begin(), ids.end());
  const auto length = static_cast<int64_t>(row.size());
  EXPECT_EQ(Cut(LoadFile("long.txt", text), length), Rows{row});
  EXPECT_EQ(Cut(LoadFile("long.jsonl", Line(text)), length), Rows{row});
}

TEST_F(CorpusTest, TokenizingALongDocumentEndsWhenItIsCancelled) {
  for (const bool one_line : {false, true}) {
    const std::string text = LongText();
    CorpusFiles files = FilesAt(one_line ? folder_.Write("a.jsonl", Line(text)) : folder_.Write("a.txt", text));
    int asked = 0;
    files.is_cancelled = [&] { return ++asked > 2; };
    EXPECT_EQ(Load(files).status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(asked, 3);
  }
}

TEST_F(CorpusTest, InALongDocumentABadByteIsCountedFromItsStart) {
  const std::string text = LongText();
  EXPECT_THAT(LoadFile("a.txt", text + "\xFF and more"), MessageHas(absl::StrCat("byte ", text.size())));
}

TEST_F(CorpusTest, AWordWithoutEndIsRefused) {
  const auto corpus = LoadFile("a.txt", "ab " + std::string((size_t{16} << 20) + 1, 'a'));
  EXPECT_THAT(corpus, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(corpus, MessageHas("a.txt"));
}

}  // namespace
}  // namespace superpose
