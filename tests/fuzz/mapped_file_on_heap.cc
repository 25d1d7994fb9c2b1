// In the place of lib/base/mapped_file.cc: the file's bytes in memory of exactly their number, so that AddressSanitizer
// sees a read past the end of a file, which a mapping's last page hides.
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/mapped_file.h"

namespace superpose {

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound(reason::kFileNotFound, "cannot read ", path);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  uint8_t* data = nullptr;
  if (!bytes.empty()) {
    data = new uint8_t[bytes.size()];
    std::memcpy(data, bytes.data(), bytes.size());
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, bytes.size()));
}

MappedFile::~MappedFile() { delete[] data_; }

}  // namespace superpose
