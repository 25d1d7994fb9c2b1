#include "client/cli/npy_writer.h"

#include <sstream>

#include "tests/client/matchers.h"

namespace superpose::cli {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

// The header that numpy.save writes, padded by itself to 128 bytes.
std::string NumpyHeader(const std::string& dictionary) {
  std::string header = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + dictionary;
  header.resize(127, ' ');
  return header + "\n";
}

TEST(NpyWriterTest, HeadersAreThoseOfNumPy) {
  EXPECT_EQ(*NpyHeader(v1::DATA_TYPE_FLOAT32, {256, 128}),
            NumpyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (256, 128), }"));
  EXPECT_EQ(*NpyHeader(v1::DATA_TYPE_INT64, {3}),
            NumpyHeader("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }"));
  EXPECT_EQ(*NpyHeader(v1::DATA_TYPE_BOOL, {}), NumpyHeader("{'descr': '|b1', 'fortran_order': False, 'shape': (), }"));
  EXPECT_EQ(*NpyHeader(v1::DATA_TYPE_FLOAT16, {0, 2}),
            NumpyHeader("{'descr': '<f2', 'fortran_order': False, 'shape': (0, 2), }"));
}

TEST(NpyWriterTest, LongHeadersStayAligned) {
  std::string header = *NpyHeader(v1::DATA_TYPE_INT32, std::vector<int64_t>(40, 1000000));
  EXPECT_EQ(header.size() % 64, 0);
  EXPECT_EQ(header.size(), 10 + static_cast<unsigned char>(header[8]) + 256 * static_cast<unsigned char>(header[9]));
  EXPECT_EQ(header.back(), '\n');
}

TEST(NpyWriterTest, BytesFollowTheHeader) {
  std::ostringstream out;
  ASSERT_OK(WriteNpy({v1::DATA_TYPE_INT32, {2}, std::string("\1\0\0\0\2\0\0\0", 8)}, &out));
  EXPECT_EQ(out.str().size(), 128 + 8);
  EXPECT_THAT(out.str(), EndsWith(std::string("\n\1\0\0\0\2\0\0\0", 9)));
}

TEST(NpyWriterTest, Bfloat16BecomesFloat32) {
  std::ostringstream out;
  // 1.0 and -2.0.
  ASSERT_OK(WriteNpy({v1::DATA_TYPE_BFLOAT16, {2}, std::string("\x80\x3f\x00\xc0", 4)}, &out));
  EXPECT_THAT(out.str(), StartsWith(std::string("\x93NUMPY\x01\x00\x76\x00{'descr': '<f4'", 25)));
  EXPECT_THAT(out.str(), EndsWith(std::string("\n\x00\x00\x80\x3f\x00\x00\x00\xc0", 9)));
}

TEST(NpyWriterTest, AnUnknownTypeIsRefused) {
  EXPECT_EQ(NpyHeader(v1::DATA_TYPE_UNSPECIFIED, {1}).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(NpyWriterTest, AFileThatCannotBeWrittenIsAnError) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(WriteNpy({v1::DATA_TYPE_BOOL, {1}, "\1"}, &out).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace superpose::cli
