#include "lib/tensor_io/npy.h"

#include <ATen/ATen.h>

#include <utility>

#include "tests/lib/tensor_io/files.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const std::vector<std::pair<const char*, at::ScalarType>> kDtypes = {
    {"float64", at::kDouble}, {"float32", at::kFloat}, {"float16", at::kHalf},  {"int64", at::kLong},
    {"int32", at::kInt},      {"int16", at::kShort},   {"int8", at::kChar},     {"uint8", at::kByte},
    {"uint16", at::kUInt16},  {"uint32", at::kUInt32}, {"uint64", at::kUInt64}, {"bool", at::kBool}};

using NpyTest = FilesTest;

// Format version 1.
std::string File(const std::string& header, const std::string& data) {
  return std::string("\x93NUMPY\x01\x00", 8) + Raw(static_cast<uint16_t>(header.size())) + header + data;
}

TEST_F(NpyTest, EveryDtypeThatNumpyWroteIsRead) {
  for (const auto& [name, type] : kDtypes) {
    ASSERT_OK_AND_ASSIGN(at::Tensor tensor, ReadNpy(Fixture(std::string(name) + ".npy")));
    EXPECT_TRUE(SameTensor(tensor, FixtureValues(type))) << name;
  }
}

TEST_F(NpyTest, OddShapesThatNumpyWroteAreRead) {
  ASSERT_OK_AND_ASSIGN(at::Tensor scalar, ReadNpy(Fixture("scalar.npy")));
  EXPECT_TRUE(SameTensor(scalar, at::tensor(2.5F).squeeze()));
  ASSERT_OK_AND_ASSIGN(at::Tensor vector, ReadNpy(Fixture("vector.npy")));
  EXPECT_TRUE(SameTensor(vector, at::arange(5)));
  ASSERT_OK_AND_ASSIGN(at::Tensor empty, ReadNpy(Fixture("empty.npy")));
  EXPECT_TRUE(SameTensor(empty, at::zeros({0, 3})));
}

TEST_F(NpyTest, Versions2And3AreRead) {
  for (const char* name : {"version2.npy", "version3.npy"}) {
    ASSERT_OK_AND_ASSIGN(at::Tensor tensor, ReadNpy(Fixture(name)));
    EXPECT_TRUE(SameTensor(tensor, at::arange(3, at::kFloat))) << name;
  }
}

TEST_F(NpyTest, WhatIsWrittenIsByteForByteWhatNumpyWrites) {
  for (const auto& [name, type] : kDtypes) {
    ASSERT_OK(WriteNpy(Path(name), FixtureValues(type)));
    EXPECT_EQ(BytesOf(Path(name)), BytesOf(Fixture(std::string(name) + ".npy"))) << name;
  }
  ASSERT_OK(WriteNpy(Path("scalar"), at::tensor(2.5F).squeeze()));
  EXPECT_EQ(BytesOf(Path("scalar")), BytesOf(Fixture("scalar.npy")));
  ASSERT_OK(WriteNpy(Path("vector"), at::arange(5)));
  EXPECT_EQ(BytesOf(Path("vector")), BytesOf(Fixture("vector.npy")));
  ASSERT_OK(WriteNpy(Path("empty"), at::zeros({0, 3})));
  EXPECT_EQ(BytesOf(Path("empty")), BytesOf(Fixture("empty.npy")));
}

TEST_F(NpyTest, AViewIsWrittenAsItsElements) {
  at::Tensor view = at::arange(6, at::kFloat).view({2, 3}).t();
  ASSERT_OK(WriteNpy(Path("a"), view));
  ASSERT_OK_AND_ASSIGN(at::Tensor read, ReadNpy(Path("a")));
  EXPECT_TRUE(SameTensor(read, view));
}

TEST_F(NpyTest, EveryTruncationIsCorrupt) {
  std::string whole = BytesOf(Fixture("float32.npy"));
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_THAT(ReadNpy(Put(whole.substr(0, size))), IsError(kInvalid, reason::kFileCorrupt)) << size;
  }
  EXPECT_THAT(ReadNpy(Put(whole + "x")), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(NpyTest, EveryFlippedHeaderBitIsReadOrRefused) {
  std::string whole = BytesOf(Fixture("float32.npy"));
  for (size_t i = 0; i < 128 * 8; ++i) {
    std::string damaged = whole;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << i % 8));
    auto tensor = ReadNpy(Put(damaged));
    if (!tensor.ok()) {
      ASSERT_EQ(tensor.status().code(), kInvalid) << i << " " << tensor.status();
    }
  }
}

TEST_F(NpyTest, WrongHeadersAreCorrupt) {
  const std::vector<const char*> headers = {
      "",
      "{",
      "{}",
      "[1]",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'shape': (1,)}",
      "{'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (one,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': 1}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 1)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} and more",
      "{'descr': '<f4' 'fortran_order': False 'shape': (1,)}",
  };
  for (const char* header : headers)
    EXPECT_THAT(ReadNpy(Put(File(header, "1234"))), IsError(kInvalid, reason::kFileCorrupt)) << header;
}

TEST_F(NpyTest, MoreDimensionsThanNumpyAllowsAreCorrupt) {
  std::string shape;
  for (int i = 0; i < 64; ++i) shape += "1,";
  auto file = [](const std::string& sizes) {
    return File("{'descr': '<f4', 'fortran_order': False, 'shape': (" + sizes + ")}", Raw(1.5F));
  };
  ASSERT_OK_AND_ASSIGN(at::Tensor tensor, ReadNpy(Put(file(shape))));
  EXPECT_EQ(tensor.dim(), 64);
  EXPECT_EQ(tensor.item<float>(), 1.5F);
  EXPECT_THAT(ReadNpy(Put(file(shape + "1,"))), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(NpyTest, WhatIsNotSupportedIsNamed) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"fortran.npy", "Fortran"}, {"big_endian.npy", ">f4"}, {"object.npy", "|O"}, {"structured.npy", "structured"}};
  for (const auto& [name, named] : cases) {
    auto tensor = ReadNpy(Fixture(name));
    EXPECT_THAT(tensor, IsError(kInvalid, reason::kFileUnsupported)) << name;
    EXPECT_THAT(tensor, MessageHas(named)) << name;
  }
  std::string later = BytesOf(Fixture("float32.npy"));
  later[6] = 4;
  EXPECT_THAT(ReadNpy(Put(later)), IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(WriteNpy(Path("a"), at::zeros({2}, at::kBFloat16)), IsError(kInvalid, reason::kFileUnsupported));
}

TEST_F(NpyTest, AMissingFileIsNotFound) {
  EXPECT_THAT(ReadNpy(Path("none")), IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_FALSE(WriteNpy(Path("none/a"), at::ones({1})).ok());
}

TEST_F(NpyTest, ATensorThatHasNoRowsOfBytesIsAnErrorAndNoException) {
  EXPECT_FALSE(WriteNpy(Path("a"), at::ones({2, 2}).to_sparse()).ok());
  EXPECT_FALSE(WriteNpy(Path("a"), at::Tensor()).ok());
  EXPECT_FALSE(std::filesystem::exists(Path("a")));
}

}  // namespace
}  // namespace superpose
