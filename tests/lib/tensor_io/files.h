// Fixtures (tests/data/tensor_io) and files that a test writes, damages and throws away.
#pragma once

#include <ATen/ATen.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace superpose {

inline std::string Fixture(const std::string& name) { return std::string(SUPERPOSE_TEST_DATA "/tensor_io/") + name; }
inline std::string Golden(const std::string& name) { return std::string(SUPERPOSE_TEST_DATA "/golden/") + name; }

inline std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The number's little-endian bytes.
template <typename Number>
std::string Raw(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

inline bool SameTensor(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         at::equal(a.to(at::kDouble), b.to(at::kDouble));
}

// [[0, 1, 2], [3, 1, 0]] in this dtype, as the fixtures of all dtypes hold it.
inline at::Tensor FixtureValues(at::ScalarType type) {
  return at::tensor(std::vector<double>{0, 1, 2, 3, 1, 0}, at::kDouble).view({2, 3}).to(type);
}

// A folder of its own for each test.
class FilesTest : public testing::Test {
 protected:
  FilesTest()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("tensor_io_" + std::to_string(::getpid()) + "_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  // The path of a file with these bytes; the same one each time.
  std::string Put(const std::string& bytes) const {
    // A file that is still mapped must stay whole, so each content gets a file of its own.
    std::filesystem::remove(folder_ / "put");
    std::ofstream(folder_ / "put", std::ios::binary) << bytes;
    return Path("put");
  }

 private:
  const std::filesystem::path folder_;
};

}  // namespace superpose
