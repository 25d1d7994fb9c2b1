// A ZIP archive of stored entries, built field by field so that a test can write any of them wrong.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/lib/tensor_io/files.h"

namespace superpose {

struct ZipMember {
  std::string name;
  std::string bytes;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc32 = 0;            // 0: not computed
  uint32_t said_size = 0;        // where not 0, the directory's size
  uint32_t said_offset = 0;      // where not 0, the directory's offset of the entry
  std::string extra = {};        // of the directory entry
  std::string local_extra = {};  // of the entry itself
};

inline std::string DirectoryEntry(const ZipMember& member, uint32_t offset) {
  uint32_t size = member.said_size != 0 ? member.said_size : static_cast<uint32_t>(member.bytes.size());
  std::string entry = Raw<uint32_t>(0x02014b50) + Raw<uint32_t>(0) + Raw(member.flags) + Raw(member.method);
  entry += Raw<uint32_t>(0) + Raw(member.crc32) + Raw(size) + Raw(size);
  entry += Raw(static_cast<uint16_t>(member.name.size())) + Raw(static_cast<uint16_t>(member.extra.size()));
  entry += Raw<uint16_t>(0) + Raw<uint64_t>(0) + Raw(member.said_offset != 0 ? member.said_offset : offset);
  return entry + member.name + member.extra;
}

inline std::string ZipEnd(uint16_t entries, uint32_t size, uint32_t offset) {
  return Raw<uint32_t>(0x06054b50) + Raw<uint32_t>(0) + Raw(entries) + Raw(entries) + Raw(size) + Raw(offset) +
         Raw<uint16_t>(0);
}

inline std::string MakeZip(const std::vector<ZipMember>& members) {
  std::string file, directory;
  for (const ZipMember& member : members) {
    directory += DirectoryEntry(member, static_cast<uint32_t>(file.size()));
    file += Raw<uint32_t>(0x04034b50) + std::string(22, '\0') + Raw(static_cast<uint16_t>(member.name.size()));
    file += Raw(static_cast<uint16_t>(member.local_extra.size())) + member.name + member.local_extra + member.bytes;
  }
  return file + directory +
         ZipEnd(static_cast<uint16_t>(members.size()), static_cast<uint32_t>(directory.size()),
                static_cast<uint32_t>(file.size()));
}

}  // namespace superpose
