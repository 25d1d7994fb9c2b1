// Reading a ZIP archive whose entries are stored uncompressed, as torch.save writes it (APPNOTE.TXT, ZIP64 included).
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"

namespace superpose {

struct ZipEntry {
  size_t offset;  // of its bytes, from the start of the file
  size_t size;
  uint32_t crc32;  // 0 when the writer did not compute it, as with torch.serialization.set_crc32_options(False)
};

class ZipArchive {
 public:
  // Reads the directory; checks that every entry lies inside the file, that none overlap and that no name stands twice.
  // FILE_CORRUPT; FILE_UNSUPPORTED for compressed or encrypted entries: a checkpoint has none, and so nothing here can
  // unpack to more than the file's own size.
  static absl::StatusOr<ZipArchive> Open(std::shared_ptr<const MappedFile> file);

  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  const std::map<std::string, ZipEntry>& entries() const { return entries_; }
  // The entry's bytes in the mapped file, after checking their CRC-32. FILE_CORRUPT also when there is no such entry.
  absl::StatusOr<absl::string_view> Read(const std::string& name) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, ZipEntry> entries_;
};

}  // namespace superpose
