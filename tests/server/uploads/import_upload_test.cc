#include "server/uploads/import_upload.h"

#include <string>

#include "tests/server/jobs/temporary_folder.h"

namespace superpose {
namespace {

class IsZipTest : public testing::Test {
 protected:
  bool Of(const std::string& content) {
    WriteFile(folder_ / "file", content);
    return IsZip(folder_ / "file");
  }

  TemporaryFolder folder_;
};

TEST_F(IsZipTest, AFilesFirstFourBytesDecide) {
  EXPECT_TRUE(Of(std::string("PK\x03\x04", 4)));
  EXPECT_TRUE(Of(std::string("PK\x03\x04", 4) + "more"));
  for (const char* other : {"", "P", "PK", "PK\x03", "{\"a\":1}"}) EXPECT_FALSE(Of(other)) << other;
}

// Its first eight bytes are the length of its header, which may be 0x4b50.
TEST_F(IsZipTest, ASafetensorsFileMayBeginWithTheSameTwoBytes) {
  EXPECT_FALSE(Of(std::string("PK\0\0\0\0\0\0", 8) + std::string(0x4b50, ' ')));
}

TEST_F(IsZipTest, AFileThatIsNotThereIsNone) { EXPECT_FALSE(IsZip(folder_ / "none")); }

}  // namespace
}  // namespace superpose
