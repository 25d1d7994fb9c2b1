#include "lib/tensor_io/zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

constexpr uint32_t kEndRecord = 0x06054b50;
constexpr uint32_t kEndRecord64 = 0x06064b50;
constexpr uint32_t kEndLocator64 = 0x07064b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kLocalEntry = 0x04034b50;
constexpr size_t kEndRecordSize = 22;
constexpr size_t kLongestComment = 65535;
constexpr uint32_t kIn64 = 0xffffffff;  // the real value stands in the ZIP64 extra field
constexpr uint64_t kMostEntries = 1'000'000;

absl::Status Corrupt(const MappedFile& file, absl::string_view what) {
  return InvalidArgument(reason::kFileCorrupt, file.path(), " is no valid PyTorch checkpoint: ", what);
}

template <typename Number>
Number At(absl::string_view bytes, size_t offset) {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

bool Holds(absl::string_view bytes, uint64_t offset, uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

struct Directory {
  uint64_t offset;
  uint64_t entries;
};

absl::StatusOr<size_t> FindEndRecord(const MappedFile& file) {
  absl::string_view text = file.text();
  if (text.size() < kEndRecordSize) return Corrupt(file, "it is too short");
  size_t lowest = text.size() - std::min(text.size(), kEndRecordSize + kLongestComment);
  for (size_t offset = text.size() - kEndRecordSize;; --offset) {
    if (At<uint32_t>(text, offset) == kEndRecord) return offset;
    if (offset == lowest)
      return Corrupt(file, "it has no ZIP directory (truncated, or written by torch.save before PyTorch 1.6)");
  }
}

absl::StatusOr<Directory> FindDirectory(const MappedFile& file) {
  absl::string_view text = file.text();
  SUPERPOSE_ASSIGN_OR_RETURN(size_t end, FindEndRecord(file));
  Directory directory{At<uint32_t>(text, end + 16), At<uint16_t>(text, end + 10)};
  constexpr size_t kLocatorSize = 20;
  constexpr size_t kRecordSize64 = 56;
  if (end >= kLocatorSize && At<uint32_t>(text, end - kLocatorSize) == kEndLocator64) {
    uint64_t record = At<uint64_t>(text, end - kLocatorSize + 8);
    if (!Holds(text, record, kRecordSize64) || At<uint32_t>(text, record) != kEndRecord64)
      return Corrupt(file, "its ZIP64 record is missing");
    directory = {At<uint64_t>(text, record + 48), At<uint64_t>(text, record + 32)};
  }
  if (directory.entries > kMostEntries) return Corrupt(file, "it has too many entries");
  return directory;
}

struct DirectoryEntry {
  std::string name;
  uint64_t size;
  uint32_t crc32;
  uint64_t local_offset;
  uint64_t length;  // of the directory entry itself
};

// Replaces sizes that stand in the ZIP64 extra field.
bool ReadExtra64(absl::string_view extra, bool size_in_64, bool packed_in_64, bool offset_in_64,
                 DirectoryEntry* entry) {
  while (extra.size() >= 4) {
    uint16_t id = At<uint16_t>(extra, 0);
    uint16_t length = At<uint16_t>(extra, 2);
    if (!Holds(extra, 4, length)) return false;
    absl::string_view field = extra.substr(4, length);
    extra.remove_prefix(4 + length);
    if (id != 1) continue;
    for (auto [wanted, target] :
         {std::pair(size_in_64, &entry->size), std::pair(packed_in_64, static_cast<uint64_t*>(nullptr)),
          std::pair(offset_in_64, &entry->local_offset)}) {
      if (!wanted) continue;
      if (field.size() < 8) return false;
      if (target != nullptr) *target = At<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
    return true;
  }
  return !size_in_64 && !packed_in_64 && !offset_in_64;
}

absl::StatusOr<DirectoryEntry> ReadDirectoryEntry(const MappedFile& file, uint64_t offset) {
  constexpr size_t kFixed = 46;
  absl::string_view text = file.text();
  if (!Holds(text, offset, kFixed) || At<uint32_t>(text, offset) != kDirectoryEntry)
    return Corrupt(file, "its ZIP directory is damaged");
  uint16_t flags = At<uint16_t>(text, offset + 8);
  uint16_t method = At<uint16_t>(text, offset + 10);
  uint16_t name_length = At<uint16_t>(text, offset + 28);
  uint16_t extra_length = At<uint16_t>(text, offset + 30);
  uint16_t comment_length = At<uint16_t>(text, offset + 32);
  DirectoryEntry entry;
  entry.length = kFixed + name_length + extra_length + comment_length;
  if (!Holds(text, offset, entry.length)) return Corrupt(file, "its ZIP directory is damaged");
  entry.name = std::string(text.substr(offset + kFixed, name_length));
  if (method != 0 || (flags & 1) != 0) {
    return InvalidArgument(reason::kFileUnsupported, file.path(), ": entry ", entry.name,
                           " is compressed or encrypted, as torch.save never writes it");
  }
  uint32_t packed = At<uint32_t>(text, offset + 20);
  entry.size = At<uint32_t>(text, offset + 24);
  entry.crc32 = At<uint32_t>(text, offset + 16);
  entry.local_offset = At<uint32_t>(text, offset + 42);
  absl::string_view extra = text.substr(offset + kFixed + name_length, extra_length);
  bool read = ReadExtra64(extra, entry.size == kIn64, packed == kIn64, entry.local_offset == kIn64, &entry);
  if (!read) return Corrupt(file, "a ZIP64 field is damaged");
  return entry;
}

// The bytes of the file that an entry takes, its local header included.
struct Span {
  uint64_t begin;
  uint64_t end;
};

// Names that share bytes would let a small file stand for any amount of data.
absl::Status CheckDisjoint(const MappedFile& file, std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  const auto overlap = std::adjacent_find(spans.begin(), spans.end(),
                                          [](const Span& before, const Span& next) { return next.begin < before.end; });
  return overlap == spans.end() ? absl::OkStatus() : Corrupt(file, "entries overlap");
}

absl::StatusOr<ZipEntry> Locate(const MappedFile& file, const DirectoryEntry& entry) {
  constexpr size_t kFixed = 30;
  absl::string_view text = file.text();
  if (!Holds(text, entry.local_offset, kFixed) || At<uint32_t>(text, entry.local_offset) != kLocalEntry) {
    return Corrupt(file, absl::StrCat("entry ", entry.name, " is not where the directory says"));
  }
  uint64_t start = entry.local_offset + kFixed + At<uint16_t>(text, entry.local_offset + 26) +
                   At<uint16_t>(text, entry.local_offset + 28);
  if (!Holds(text, start, entry.size)) return Corrupt(file, absl::StrCat("entry ", entry.name, " is cut off"));
  return ZipEntry{start, entry.size, entry.crc32};
}

}  // namespace

absl::StatusOr<ZipArchive> ZipArchive::Open(std::shared_ptr<const MappedFile> file) {
  SUPERPOSE_ASSIGN_OR_RETURN(Directory directory, FindDirectory(*file));
  ZipArchive archive;
  std::vector<Span> spans;
  uint64_t offset = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    SUPERPOSE_ASSIGN_OR_RETURN(DirectoryEntry entry, ReadDirectoryEntry(*file, offset));
    SUPERPOSE_ASSIGN_OR_RETURN(ZipEntry located, Locate(*file, entry));
    if (!archive.entries_.emplace(entry.name, located).second)
      return Corrupt(*file, absl::StrCat("entry ", entry.name, " stands twice"));
    spans.push_back({entry.local_offset, located.offset + located.size});
    offset += entry.length;
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckDisjoint(*file, std::move(spans)));
  archive.file_ = std::move(file);
  return archive;
}

absl::StatusOr<absl::string_view> ZipArchive::Read(const std::string& name) const {
  auto found = entries_.find(name);
  if (found == entries_.end()) return Corrupt(*file_, absl::StrCat("entry ", name, " is missing"));
  const ZipEntry& entry = found->second;
  absl::string_view bytes = file_->text().substr(entry.offset, entry.size);
  if (entry.crc32 != 0 && ::crc32_z(0, file_->data() + entry.offset, entry.size) != entry.crc32) {
    return Corrupt(*file_, absl::StrCat("the bytes of entry ", name, " do not match their checksum"));
  }
  return bytes;
}

}  // namespace superpose
