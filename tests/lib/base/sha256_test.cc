#include "lib/base/sha256.h"

#include "gtest/gtest.h"

namespace superpose {
namespace {

// The examples of FIPS 180-4.
TEST(Sha256Test, DigestsTheStandardsExamples) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, PiecesGiveTheDigestOfTheWhole) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.HexDigest(), Sha256Hex("abc"));
}

TEST(Sha256Test, PrefixIsBigEndian) { EXPECT_EQ(Sha256Prefix64("abc"), 0xba7816bf8f01cfeaULL); }

}  // namespace
}  // namespace superpose
