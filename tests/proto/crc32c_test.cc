#include "proto/crc32c.h"

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

}  // namespace
}  // namespace superpose
