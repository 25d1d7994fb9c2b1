#include "lib/tensor_io/pytorch_file.h"

#include <ATen/ATen.h>

#include <set>
#include <utility>

#include "lib/tensor_io/zip_archive.h"
#include "tests/lib/tensor_io/files.h"
#include "tests/lib/tensor_io/zip_writer.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

template <typename T>
const T& Get(const PickleValue* value) {
  static const T nothing{};
  const T* found = value == nullptr ? nullptr : std::get_if<T>(value);
  EXPECT_NE(found, nullptr) << "another type, or missing";
  return found == nullptr ? nothing : *found;
}
const PickleDict& DictIn(const PickleValue* value) {
  static const PickleDict nothing;
  const PickleDict* dict = Get<const PickleDict*>(value);
  return dict == nullptr ? nothing : *dict;
}
const PickleRecord& RecordIn(const PickleValue* value) {
  static const PickleRecord nothing;
  const PickleRecord* record = Get<const PickleRecord*>(value);
  return record == nullptr ? nothing : *record;
}
const std::vector<PickleValue>& ItemsIn(const PickleValue* value) {
  static const std::vector<PickleValue> nothing;
  const PickleSequence* sequence = Get<const PickleSequence*>(value);
  return sequence == nullptr ? nothing : sequence->items;
}
std::string NameOf(const PickleRecord& record) { return record.type.module + "." + record.type.name; }

class PytorchFileTest : public FilesTest {
 protected:
  // A checkpoint with this pickle and, as storage 0, these bytes.
  absl::StatusOr<PickleDocument> Read(const std::string& pickle, const std::string& storage = std::string(8, '\0')) {
    return ReadPytorchFile(
        Put(MakeZip({{.name = "x/data.pkl", .bytes = pickle}, {.name = "x/data/0", .bytes = storage}})));
  }
};

TEST_F(PytorchFileTest, EveryDtypeIsRead) {
  const std::vector<std::pair<const char*, at::ScalarType>> dtypes = {{"bfloat16", at::kBFloat16},
                                                                      {"bool", at::kBool},
                                                                      {"float16", at::kHalf},
                                                                      {"float32", at::kFloat},
                                                                      {"float64", at::kDouble},
                                                                      {"float8_e4m3fn", at::kFloat8_e4m3fn},
                                                                      {"float8_e5m2", at::kFloat8_e5m2},
                                                                      {"int16", at::kShort},
                                                                      {"int32", at::kInt},
                                                                      {"int64", at::kLong},
                                                                      {"int8", at::kChar},
                                                                      {"uint16", at::kUInt16},
                                                                      {"uint32", at::kUInt32},
                                                                      {"uint64", at::kUInt64},
                                                                      {"uint8", at::kByte}};
  ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture("dtypes.pt")));
  ASSERT_OK_AND_ASSIGN(TensorMap tensors, TensorsOf(document.root()));
  ASSERT_EQ(tensors.size(), dtypes.size() + 2);
  for (const auto& [name, type] : dtypes) EXPECT_TRUE(SameTensor(tensors.at(name), FixtureValues(type))) << name;
  EXPECT_TRUE(SameTensor(tensors.at("empty"), at::zeros({0, 3})));
  EXPECT_TRUE(SameTensor(tensors.at("scalar"), at::tensor(2.5F).squeeze()));
}

TEST_F(PytorchFileTest, AResearchersTranscoderHoldsTheGoldenTensors) {
  ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Golden("tiny_transcoder_dunefsky.pt")));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile golden, SafetensorsFile::Open(Golden("tiny_transcoder.safetensors")));
  const PickleDict& root = DictIn(&document.root());
  ASSERT_OK_AND_ASSIGN(TensorMap tensors,
                       TensorsOf(root.Find("state_dict") ? *root.Find("state_dict") : PickleValue()));
  EXPECT_EQ(tensors.size(), 5);
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(SameTensor(tensor, golden.tensors().at(name))) << name;

  const PickleRecord& config = RecordIn(root.Find("cfg"));
  EXPECT_EQ(NameOf(config), "sae_training.config.LanguageModelSAERunnerConfig");
  EXPECT_EQ(Get<std::string>(config.Find("hook_point")), "blocks.1.ln2.hook_normalized");
  EXPECT_EQ(Get<int64_t>(config.Find("d_in")), 32);
  EXPECT_TRUE(Get<bool>(config.Find("is_transcoder")));
  EXPECT_EQ(config.Find("no such field"), nullptr);
}

TEST_F(PytorchFileTest, ABareTensorIsRead) {
  ASSERT_OK_AND_ASSIGN(PickleDocument document,
                       ReadPytorchFile(Golden("tiny_transcoder_dunefsky_log_feature_sparsity.pt")));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile golden, SafetensorsFile::Open(Golden("tiny_transcoder.safetensors")));
  EXPECT_TRUE(SameTensor(Get<at::Tensor>(&document.root()), golden.tensors().at("log_feature_sparsity")));
  EXPECT_THAT(TensorsOf(document.root()), IsError(kInvalid, reason::kFileUnsupported));
}

TEST_F(PytorchFileTest, ViewsKeepTheirStridesAndShareTheirStorage) {
  ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture("views.pt")));
  ASSERT_OK_AND_ASSIGN(TensorMap views, TensorsOf(document.root()));
  at::Tensor base = at::arange(24, at::kFloat).view({4, 6});
  EXPECT_TRUE(SameTensor(views.at("base"), base));
  EXPECT_TRUE(SameTensor(views.at("transposed"), base.t()));
  EXPECT_TRUE(SameTensor(views.at("window"), base.slice(0, 1, 3).slice(1, 1, 5, 2)));
  EXPECT_TRUE(SameTensor(views.at("row"), base[2]));
  EXPECT_TRUE(SameTensor(views.at("expanded"), at::full({5}, 18.0F)));
  EXPECT_EQ(views.at("transposed").strides(), base.t().strides());
  EXPECT_EQ(views.at("expanded").stride(0), 0);
  for (const auto& [name, view] : views) EXPECT_TRUE(view.is_alias_of(views.at("base"))) << name;
}

TEST_F(PytorchFileTest, TensorsOutliveTheDocument) {
  TensorMap tensors;
  {
    ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture("views.pt")));
    ASSERT_OK_AND_ASSIGN(tensors, TensorsOf(document.root()));
  }
  EXPECT_TRUE(SameTensor(tensors.at("row"), at::arange(12, 18, at::kFloat)));
}

TEST_F(PytorchFileTest, StateDictsAndParametersAreTensors) {
  ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture("module.pt")));
  const PickleDict& root = DictIn(&document.root());
  ASSERT_NE(root.Find("state_dict"), nullptr);
  ASSERT_NE(root.Find("parameters"), nullptr);
  ASSERT_OK_AND_ASSIGN(TensorMap state, TensorsOf(*root.Find("state_dict")));
  ASSERT_OK_AND_ASSIGN(TensorMap parameters, TensorsOf(*root.Find("parameters")));
  EXPECT_EQ(state.at("weight").sizes(), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(state.at("bias").sizes(), (std::vector<int64_t>{3}));
  ASSERT_EQ(parameters.size(), 2);
  for (const auto& [name, tensor] : state) EXPECT_TRUE(SameTensor(tensor, parameters.at(name))) << name;
}

TEST_F(PytorchFileTest, ObjectsOfUnknownClassesAreRecordsInEveryProtocol) {
  for (const char* name : {"config_protocol2.pt", "config_protocol4.pt", "config_protocol5.pt"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture(name)));
    const PickleDict& root = DictIn(&document.root());
    const PickleRecord& config = RecordIn(root.Find("cfg"));
    EXPECT_EQ(NameOf(config), "invented_project.config.Config");
    EXPECT_EQ(Get<int64_t>(config.Find("d_model")), 768);
    EXPECT_EQ(Get<double>(config.Find("lr")), 4e-4);
    EXPECT_EQ(Get<std::string>(config.Find("name")), "tiny");
    EXPECT_EQ(Get<const PickleGlobal*>(config.Find("dtype"))->name, "float32");
    EXPECT_EQ(NameOf(RecordIn(config.Find("device"))), "torch.device");
    EXPECT_EQ(NameOf(RecordIn(config.Find("shape"))), "torch.Size");
    EXPECT_EQ(NameOf(RecordIn(config.Find("seed"))), "builtins.int");
    EXPECT_EQ(Get<std::string>(&RecordIn(config.Find("seed")).arguments), std::string("\0\0\0\0\0\0\0\x80\0", 9));

    const PickleRecord& options = RecordIn(root.Find("options"));
    EXPECT_EQ(NameOf(options), "invented_project.config.Options");
    EXPECT_EQ(Get<int64_t>(options.Find("alpha")), 1);
    const PickleRecord& history = RecordIn(root.Find("history"));
    ASSERT_EQ(history.appended.items.size(), 2);
    EXPECT_EQ(Get<int64_t>(&history.appended.items[1]), 2);
    EXPECT_TRUE(SameTensor(Get<at::Tensor>(root.Find("weights")), at::ones({2})));
    EXPECT_THAT(TensorsOf(document.root()), IsError(kInvalid, reason::kFileUnsupported));
  }
}

TEST_F(PytorchFileTest, PlainValuesAreReadInEveryProtocol) {
  for (const char* name : {"config_protocol2.pt", "config_protocol4.pt", "config_protocol5.pt"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture(name)));
    const PickleDict& nested = DictIn(RecordIn(DictIn(&document.root()).Find("cfg")).Find("nested"));
    const std::vector<PickleValue>& list = ItemsIn(nested.Find("list"));
    ASSERT_EQ(list.size(), 6);
    EXPECT_EQ(Get<int64_t>(&list[0]), 1);
    EXPECT_EQ(Get<int64_t>(&list[1]), -2);
    EXPECT_EQ(Get<int64_t>(&list[2]), int64_t{1} << 40);
    EXPECT_EQ(Get<bool>(&list[3]), true);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(list[4]));
    const std::vector<PickleValue>& inner = ItemsIn(&list[5]);
    ASSERT_EQ(inner.size(), 3);
    EXPECT_EQ(Get<double>(inner.data()), 1.5);
    EXPECT_EQ(Get<std::string>(&inner[1]), "é");
    EXPECT_TRUE(ItemsIn(nested.Find("tuple")).empty());
    EXPECT_EQ(nested.items.size(), 5);  // the key 3 is there as well, though it is no text
    EXPECT_EQ(nested.Find("3"), nullptr);
  }
}

TEST_F(PytorchFileTest, CallsBecomeInertRecords) {
  std::filesystem::remove("superpose_was_here");
  ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture("calls.pt")));
  const std::vector<PickleValue>& calls = ItemsIn(DictIn(&document.root()).Find("calls"));
  ASSERT_EQ(calls.size(), 3);
  EXPECT_EQ(NameOf(RecordIn(calls.data())), "posix.system");
  EXPECT_EQ(Get<std::string>(ItemsIn(&RecordIn(calls.data()).arguments).data()), "touch superpose_was_here");
  EXPECT_EQ(NameOf(RecordIn(&calls[1])), "__builtin__.eval");
  EXPECT_EQ(NameOf(RecordIn(&calls[2])), "torch.storage._load_from_bytes");
  EXPECT_FALSE(std::filesystem::exists("superpose_was_here"));
}

TEST_F(PytorchFileTest, FilesWithoutChecksumsAreRead) {
  ASSERT_OK_AND_ASSIGN(PickleDocument document, ReadPytorchFile(Fixture("without_checksums.pt")));
  EXPECT_TRUE(SameTensor(Get<at::Tensor>(DictIn(&document.root()).Find("a")), at::arange(3)));
}

TEST_F(PytorchFileTest, WhatIsNotSupportedSaysSo) {
  const std::vector<std::pair<const char*, const char*>> cases = {{"legacy.pt", "before PyTorch 1.6"},
                                                                  {"complex.pt", "ComplexFloatStorage"},
                                                                  {"negated.pt", "negated"},
                                                                  {"big_endian.pt", "big-endian"},
                                                                  {"compressed.pt", "compressed"}};
  for (const auto& [name, named] : cases) {
    auto document = ReadPytorchFile(Fixture(name));
    EXPECT_THAT(document, IsError(kInvalid, reason::kFileUnsupported)) << name;
    EXPECT_THAT(document, MessageHas(named)) << name;
  }
  EXPECT_THAT(ReadPytorchFile(Path("none")), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(ReadPytorchFile(Fixture("dtypes.safetensors")), IsError(kInvalid, reason::kFileCorrupt));
  EXPECT_THAT(ReadPytorchFile(Put(MakeZip({{.name = "a", .bytes = "b"}}))), IsError(kInvalid, reason::kFileCorrupt));
  EXPECT_THAT(ReadPytorchFile(Put("")), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(PytorchFileTest, EveryTruncationOfTheFileIsCorrupt) {
  std::string whole = BytesOf(Fixture("module.pt"));
  for (size_t size = 0; size < whole.size(); ++size)
    ASSERT_THAT(ReadPytorchFile(Put(whole.substr(0, size))), IsError(kInvalid, reason::kFileCorrupt)) << size;
}

TEST_F(PytorchFileTest, NoFlippedBitHarms) {
  std::string whole = BytesOf(Fixture("without_checksums.pt"));
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    std::string damaged = whole;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << i % 8));
    auto document = ReadPytorchFile(Put(damaged));
    if (!document.ok()) {
      ASSERT_EQ(document.status().code(), kInvalid) << i << " " << document.status();
      continue;
    }
    auto tensors = TensorsOf(document->root());
    if (!tensors.ok()) continue;
    for (const auto& [name, tensor] : *tensors) (void)tensor.sum().item<double>();  // touches every element
  }
}

TEST_F(PytorchFileTest, EveryTruncationOfAPickleIsCorrupt) {
  auto file = MappedFile::Open(Fixture("config_protocol4.pt"));
  ASSERT_OK(file);
  ASSERT_OK_AND_ASSIGN(ZipArchive archive, ZipArchive::Open(*file));
  ASSERT_OK_AND_ASSIGN(absl::string_view pickle, archive.Read("config_protocol4/data.pkl"));
  ASSERT_OK(Read(std::string(pickle)));
  for (size_t size = 0; size < pickle.size(); ++size)
    ASSERT_THAT(Read(std::string(pickle.substr(0, size))), IsError(kInvalid, reason::kFileCorrupt)) << size;
}

TEST_F(PytorchFileTest, PicklesThatTakeWhatIsNotThereAreCorrupt) {
  const std::vector<std::string> pickles = {"",
                                            ".",
                                            "0.",
                                            "1.",
                                            "2.",
                                            "(.",
                                            "(0.",
                                            "t.",
                                            "e.",
                                            "a.",
                                            "Na.",
                                            "NNa.",
                                            "s.",
                                            "NNNs.",
                                            "}Ns.",
                                            "](Nu.",
                                            "}(Nu.",
                                            "\x85.",
                                            "N\x86.",
                                            "NN\x87.",
                                            "R.",
                                            "NR.",
                                            "NNR.",
                                            ")NR.",
                                            "N)R.",
                                            "b.",
                                            "Nb.",
                                            "Q.",
                                            "NQ.",
                                            ")Q.",
                                            "q",
                                            "q\x01.",
                                            "h\x01.",
                                            "Nq\x01h\x02.",
                                            "\x94.",
                                            "\x93.",
                                            "NN\x93.",
                                            "cos\nsystem",
                                            "cos",
                                            "X\xff\xff\xff\xff.",
                                            "\x8a\xff.",
                                            "\x8b\xff\xff\xff\xff.",
                                            "G12.",
                                            "J1.",
                                            "M1",
                                            "K",
                                            std::string("U\x05") + "ab",
                                            "\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
                                            "\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
                                            "\x95.",
                                            "\x80",
                                            "N(\x85t.",
                                            "cos\nsystem\nNR.",
                                            "\x92.",
                                            "cos\nx\n)\x92."};
  for (size_t i = 0; i < pickles.size(); ++i)
    EXPECT_THAT(Read(pickles[i]), IsError(kInvalid, reason::kFileCorrupt)) << i;
}

TEST_F(PytorchFileTest, OpcodesThatNoCheckpointNeedsAreUnsupported) {
  const std::set<int> known = [] {
    std::set<int> codes;
    for (char code : std::string("(.012GJKMNQRTUXabcd}ehjl]qrst)uBC")) codes.insert(static_cast<uint8_t>(code));
    for (int code = 0x80; code <= 0x81; ++code) codes.insert(code);
    for (int code = 0x85; code <= 0x96; ++code) codes.insert(code);
    return codes;
  }();
  for (int code = 0; code < 256; ++code) {
    if (known.count(code) > 0) continue;
    EXPECT_THAT(Read(std::string("N") + static_cast<char>(code) + "."), IsError(kInvalid, reason::kFileUnsupported))
        << code;
  }
}

// The pickle of a float32 tensor over storage 0.
std::string TensorPickle(int elements, const std::string& offset, const std::string& sizes, const std::string& strides,
                         const std::string& more = "") {
  std::string storage =
      "(U\x07storagectorch\nFloatStorage\nU\x01"
      "0U\x03"
      "cpuK" +
      std::string(1, static_cast<char>(elements)) + "tQ";
  return "\x80\x02"
         "ctorch._utils\n_rebuild_tensor_v2\n(" +
         storage + offset + sizes + strides + more + "tR.";
}

TEST_F(PytorchFileTest, ATensorInsideItsStorageIsRead) {
  std::string two = Raw(1.5F) + Raw(2.5F);
  ASSERT_OK_AND_ASSIGN(PickleDocument document, Read(TensorPickle(2, "K\x01", "(K\x01t", "(K\x01t"), two));
  EXPECT_TRUE(SameTensor(Get<at::Tensor>(&document.root()), at::tensor({2.5F})));
  ASSERT_OK_AND_ASSIGN(document, Read(TensorPickle(2, std::string("K\0", 2), "(K\x03t", std::string("(K\0t", 4)), two));
  EXPECT_TRUE(SameTensor(Get<at::Tensor>(&document.root()), at::full({3}, 1.5F)));
  // An empty tensor touches nothing, wherever it lies.
  ASSERT_OK_AND_ASSIGN(document, Read(TensorPickle(2, "M\xff\xff", std::string("(K\0t", 4), "(K\x01t"), two));
  EXPECT_EQ(Get<at::Tensor>(&document.root()).numel(), 0);
}

TEST_F(PytorchFileTest, TensorsOutsideTheirStorageAreCorrupt) {
  const std::string zero("K\0", 2), one = "K\x01", huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
  const std::string half = "\x8a\x08" + Raw<uint64_t>(uint64_t{1} << 62), negative = "J\xff\xff\xff\xff";
  auto tuple = [](const std::string& items) { return "(" + items + "t"; };
  const std::vector<std::string> pickles = {
      TensorPickle(3, zero, tuple(one), tuple(one)),
      TensorPickle(2, "K\x02", tuple(one), tuple(one)),
      TensorPickle(2, one, tuple("K\x02"), tuple(one)),
      TensorPickle(2, zero, tuple("K\x02"), tuple("K\x02")),
      TensorPickle(2, zero, tuple("K\x02"), tuple(huge)),
      TensorPickle(2, zero, tuple(huge), tuple(huge)),
      TensorPickle(2, zero, tuple(huge + huge), tuple(zero + zero)),
      TensorPickle(2, huge, tuple(one), tuple(one)),
      TensorPickle(2, huge, tuple("K\x02"), tuple(one)),
      TensorPickle(2, zero, tuple("K\x03K\x03"), tuple(half + half)),
      TensorPickle(2, negative, tuple(one), tuple(one)),
      TensorPickle(2, zero, tuple(negative), tuple(one)),
      TensorPickle(2, one, tuple("K\x02"), tuple(negative)),
      TensorPickle(2, zero, tuple(one), tuple("")),
      TensorPickle(2, zero, one, one),
      TensorPickle(2, "N", tuple(one), tuple(one)),
      TensorPickle(2, zero, tuple(one), ""),
  };
  for (size_t i = 0; i < pickles.size(); ++i)
    EXPECT_THAT(Read(pickles[i]), IsError(kInvalid, reason::kFileCorrupt)) << i;
}

TEST_F(PytorchFileTest, TensorsThatRepeatTheirBytesCannotFillTheMemory) {
  const std::string zero("K\0", 2), no_strides = "(" + zero + "t";
  const auto repeated = [&](int32_t elements) { return TensorPickle(2, zero, "(J" + Raw(elements) + "t", no_strides); };
  const auto huge = Read(repeated(1 << 30));
  EXPECT_THAT(huge, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(huge, MessageHas("clone()"));
  EXPECT_THAT(Read(TensorPickle(2, zero, "(\x8a\x08" + Raw(uint64_t{1} << 62) + "t", no_strides)),
              IsError(kInvalid, reason::kFileUnsupported));
  // One view of 4 MiB: once is fine, under many names it is not.
  std::string once = repeated(1 << 20);
  EXPECT_OK(Read(once));
  once.pop_back();
  std::string many = once + "q\x01" + "0}(";
  for (int i = 0; i < 100; ++i) many += "M" + Raw(static_cast<uint16_t>(i)) + "h\x01";
  EXPECT_THAT(Read(many + "u."), IsError(kInvalid, reason::kFileUnsupported));
}

TEST_F(PytorchFileTest, AStorageThatIsNotInTheArchiveIsCorrupt) {
  std::string pickle =
      "(U\x07storagectorch\nFloatStorage\nU\x09../data/0U\x03"
      "cpuK\x01tQ.";
  EXPECT_THAT(Read(pickle), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(PytorchFileTest, DeepAndCyclicPicklesAreHarmless) {
  std::string deep = "N";
  for (int i = 0; i < 1'000'000; ++i) deep += '\x85';
  EXPECT_OK(Read(deep + "."));
  EXPECT_OK(Read(std::string(1'000'000, ']') + std::string(999'999, 'a') + "."));
  ASSERT_OK_AND_ASSIGN(PickleDocument document, Read("]q\x01h\x01"
                                                     "a."));  // a list that holds itself
  EXPECT_EQ(Get<const PickleSequence*>(ItemsIn(&document.root()).data()), Get<const PickleSequence*>(&document.root()));
  ASSERT_OK_AND_ASSIGN(document, Read("}q\x01U\x01xh\x01s."));  // a dict that holds itself
  EXPECT_THAT(TensorsOf(document.root()), IsError(kInvalid, reason::kFileUnsupported));
}

TEST_F(PytorchFileTest, ASmallPickleCannotFillTheMemory) {
  std::string copies = "X" + Raw<uint32_t>(1 << 20) + std::string(1 << 20, 'x');  // a text of 1 MiB ..
  copies += std::string(2000, '2') + ".";                                         // .. two thousand times
  EXPECT_THAT(Read(copies), IsError(kInvalid, reason::kFileUnsupported));
}

TEST_F(PytorchFileTest, TheLastOfEqualKeysCounts) {
  ASSERT_OK_AND_ASSIGN(PickleDocument document, Read("}(U\x01xK\x01U\x01xK\x02u."));
  EXPECT_EQ(Get<int64_t>(DictIn(&document.root()).Find("x")), 2);
}

}  // namespace
}  // namespace superpose
