#include "proto/crc32c.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace superpose {
namespace {

// RFC 3720, appendix B.4.
TEST(Crc32cTest, PublishedValues) {
  std::string ascending(32, '\0'), descending(32, '\0');
  for (int i = 0; i < 32; ++i) {
    ascending[i] = static_cast<char>(i);
    descending[i] = static_cast<char>(31 - i);
  }
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(Crc32c(descending), 0x113fdb5cu);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
}

TEST(Crc32cTest, NothingHasZero) { EXPECT_EQ(Crc32c(""), 0u); }

TEST(Crc32cTest, EveryBitCounts) {
  const std::string text(21, 'a');
  for (size_t byte = 0; byte < text.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = text;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
      EXPECT_NE(Crc32c(flipped), Crc32c(text));
    }
  }
}

// Bit by bit, as the RFC defines it.
uint32_t PlainCrc32c(const std::string& data) {
  uint32_t crc = ~uint32_t{0};
  for (const char byte : data) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

TEST(Crc32cTest, LongDataOfAnyLengthAndPlace) {
  std::string data(40'003, '\0');
  uint32_t state = 1;
  for (char& byte : data) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  for (const size_t size : {7, 8, 2047, 2048, 6143, 6144, 6145, 6151, 6152, 12287, 12288, 12289, 20000, 40000}) {
    for (const size_t start : {0, 1, 3}) {
      const std::string part = data.substr(start, size);
      EXPECT_EQ(Crc32c(absl::string_view(data).substr(start, size)), PlainCrc32c(part)) << size << " from " << start;
    }
  }
}

}  // namespace
}  // namespace superpose
