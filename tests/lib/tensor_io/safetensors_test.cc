#include "lib/tensor_io/safetensors.h"

#include <ATen/ATen.h>

#include <limits>
#include <utility>

#include "tests/lib/tensor_io/files.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const std::vector<std::pair<const char*, at::ScalarType>> kDtypes = {{"bfloat16", at::kBFloat16},
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

using SafetensorsTest = FilesTest;

std::string File(const std::string& header, const std::string& data) {
  return Raw<uint64_t>(header.size()) + header + data;
}

TEST_F(SafetensorsTest, EveryDtypeThatTheLibraryWroteIsRead) {
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Fixture("dtypes.safetensors")));
  for (const auto& [name, type] : kDtypes) {
    ASSERT_OK_AND_ASSIGN(at::Tensor tensor, file.Tensor(name));
    EXPECT_TRUE(SameTensor(tensor, FixtureValues(type))) << name;
  }
  EXPECT_TRUE(SameTensor(file.tensors().at("empty"), at::zeros({0, 3})));
  EXPECT_TRUE(SameTensor(file.tensors().at("scalar"), at::tensor(2.5F).squeeze()));
  EXPECT_EQ(file.tensors().size(), kDtypes.size() + 2);
  EXPECT_EQ(file.metadata(), (StringMap{{"written by", "safetensors"}}));
}

TEST_F(SafetensorsTest, EveryDtypeSurvivesARoundTrip) {
  TensorMap tensors = {
      {"empty", at::zeros({2, 0})}, {"scalar", at::tensor(7).squeeze()}, {"näme \"x\"", at::ones({1})}};
  for (const auto& [name, type] : kDtypes) tensors[name] = FixtureValues(type);
  ASSERT_OK(WriteSafetensors(Path("a"), tensors, {{"key", "välue"}}));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Path("a")));
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(SameTensor(file.tensors().at(name), tensor)) << name;
  EXPECT_EQ(file.metadata(), (StringMap{{"key", "välue"}}));
}

TEST_F(SafetensorsTest, NonFiniteNumbersKeepTheirBits) {
  const double infinity = std::numeric_limits<double>::infinity();
  at::Tensor odd =
      at::tensor({-0.0, infinity, -infinity, std::numeric_limits<double>::quiet_NaN(), 5e-324}, at::kDouble);
  ASSERT_OK(WriteSafetensors(Path("a"), {{"odd", odd}}, {}));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Path("a")));
  EXPECT_TRUE(at::equal(file.tensors().at("odd").view(at::kLong), odd.view(at::kLong)));
}

TEST_F(SafetensorsTest, AViewIsWrittenAsItsElements) {
  at::Tensor base = at::arange(24, at::kFloat).view({4, 6});
  ASSERT_OK(WriteSafetensors(Path("a"), {{"t", base.t()}, {"w", base.slice(1, 1, 6, 2)}}, {}));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Path("a")));
  EXPECT_TRUE(at::equal(file.tensors().at("t"), base.t()));
  EXPECT_TRUE(at::equal(file.tensors().at("w"), base.slice(1, 1, 6, 2)));
}

TEST_F(SafetensorsTest, AFileWithoutTensorsIsValid) {
  ASSERT_OK(WriteSafetensors(Path("a"), {}, {}));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Path("a")));
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_TRUE(file.metadata().empty());
}

TEST_F(SafetensorsTest, TensorsOutliveTheFileObject) {
  at::Tensor tensor;
  {
    ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Fixture("dtypes.safetensors")));
    tensor = file.tensors().at("float64");
  }
  EXPECT_TRUE(SameTensor(tensor, FixtureValues(at::kDouble)));
}

TEST_F(SafetensorsTest, DataAtAnOddAddressIsRead) {
  std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("d":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}})";
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Put(File(header, "\x05" + Raw(1.25) + Raw(-2.0)))));
  EXPECT_TRUE(SameTensor(file.tensors().at("d"), at::tensor({1.25, -2.0}, at::kDouble)));
  EXPECT_TRUE(SameTensor(file.tensors().at("b"), at::tensor({5}, at::kByte)));
}

TEST_F(SafetensorsTest, EveryTruncationIsCorrupt) {
  std::string whole = BytesOf(Fixture("dtypes.safetensors"));
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_THAT(SafetensorsFile::Open(Put(whole.substr(0, size))), IsError(kInvalid, reason::kFileCorrupt)) << size;
  }
  EXPECT_THAT(SafetensorsFile::Open(Put(whole + "x")), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(SafetensorsTest, EveryFlippedHeaderBitIsReadOrRefused) {
  std::string whole = BytesOf(Fixture("dtypes.safetensors"));
  uint64_t header = 0;
  whole.copy(reinterpret_cast<char*>(&header), sizeof header);
  for (size_t i = 0; i < sizeof header + header; ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    auto file = SafetensorsFile::Open(Put(damaged));
    if (!file.ok()) {
      ASSERT_EQ(file.status().code(), kInvalid) << i << " " << file.status();
    }
  }
}

TEST_F(SafetensorsTest, WrongHeadersAreCorrupt) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"no JSON", "{"},
      {"no object", "[1]"},
      {"nothing", ""},
      {"an entry that is no object", R"({"a":1})"},
      {"no dtype", R"({"a":{"shape":[1],"data_offsets":[0,4]}})"},
      {"a dtype that is no text", R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})"},
      {"no shape", R"({"a":{"dtype":"F32","data_offsets":[0,4]}})"},
      {"a negative size", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})"},
      {"a broken size", R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})"},
      {"a size beyond 64 bits", R"({"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}})"},
      {"sizes whose product wraps to 1",
       R"({"a":{"dtype":"F32","shape":[4294967297,4294967295,18446744073709551615],"data_offsets":[0,4]}})"},
      {"sizes whose bytes wrap to 0", R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})"},
      {"an empty tensor of impossible sizes",
       R"({"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]}})"},
      {"offsets the wrong way round", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})"},
      {"offsets outside the file", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"},
      {"one offset", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}})"},
      {"a shape of other bytes", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})"},
      {"a gap",
       R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})"},
      {"an overlap",
       R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})"},
      {"the same bytes twice",
       R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"},
      {"bytes of no tensor", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})"},
      {"a name twice",
       R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"},
      {"metadata that is no object", R"({"__metadata__":1,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"},
      {"metadata that is no text", R"({"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"},
      {"invalid UTF-8", "{\"\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"},
  };
  for (const auto& [what, header] : cases) {
    EXPECT_THAT(SafetensorsFile::Open(Put(File(header, "1234"))), IsError(kInvalid, reason::kFileCorrupt)) << what;
  }
}

TEST_F(SafetensorsTest, DeepNestingIsCorruptAndDoesNotExhaustTheStack) {
  std::string deep = "{\"a\":" + std::string(1'000'000, '[');
  EXPECT_THAT(SafetensorsFile::Open(Put(File(deep, ""))), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(SafetensorsTest, AHeaderLongerThanTheFileIsCorrupt) {
  for (uint64_t length : {uint64_t{3}, uint64_t{1} << 32, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    EXPECT_THAT(SafetensorsFile::Open(Put(Raw(length) + "{}")), IsError(kInvalid, reason::kFileCorrupt)) << length;
  }
}

TEST_F(SafetensorsTest, AnUnknownDtypeIsUnsupportedAndNamed) {
  auto file = SafetensorsFile::Open(Put(File(R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", "x")));
  EXPECT_THAT(file, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(file, MessageHas("F4"));
}

TEST_F(SafetensorsTest, AMissingFileOrTensorIsNotFound) {
  EXPECT_THAT(SafetensorsFile::Open(Path("none")), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(SafetensorsFile::Open(Path("")), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Fixture("dtypes.safetensors")));
  EXPECT_THAT(file.Tensor("float31"), IsError(absl::StatusCode::kNotFound, reason::kTensorMissing));
  EXPECT_THAT(file.Tensor("float31"), MessageHas("float32"));
  EXPECT_THAT(file.Tensor(""), IsError(absl::StatusCode::kNotFound, reason::kTensorMissing));
}

TEST_F(SafetensorsTest, WhatTheFormatCannotHoldIsNotWritten) {
  EXPECT_THAT(WriteSafetensors(Path("a"), {{"c", at::zeros({2}, at::kComplexFloat)}}, {}),
              IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(WriteSafetensors(Path("a"), {{"undefined", at::Tensor()}}, {}),
              IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(WriteSafetensors(Path("a"), {{"__metadata__", at::ones({1})}}, {}),
              IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(WriteSafetensors(Path("a"), {{"\xff", at::ones({1})}}, {}), IsError(kInvalid, reason::kInvalidUtf8));
  EXPECT_THAT(WriteSafetensors(Path("a"), {{"a", at::ones({1})}}, {{"k", "\xc3"}}),
              IsError(kInvalid, reason::kInvalidUtf8));
  EXPECT_FALSE(WriteSafetensors(Path("a"), {{"sparse", at::ones({2, 2}).to_sparse()}}, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(Path("a")));
}

}  // namespace
}  // namespace superpose
