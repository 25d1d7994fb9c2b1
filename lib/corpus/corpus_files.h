#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/corpus/byte_blocks.h"

namespace superpose {

// What a corpus is made of: files that are read one after the other, all of one kind.
struct CorpusFiles {
  // Files, or folders, whose files are taken in name order. .txt (one document), .jsonl ({"text": ..} a line), .npy
  // (1-D or 2-D integers), .bin (little-endian integers); text may be compressed: .gz, .zst.
  std::vector<std::string> paths;
  // The ending that all are read by; empty: each file's own.
  std::string format;
  // Of .bin: "uint16" or "uint32"; empty: "uint16", but files that look like the other are refused.
  std::string token_dtype;
  // Asked between documents, if it is there: once it is true, Load ends with CANCELLED.
  std::function<bool()> is_cancelled;
  // Told between documents, if it is there, how many bytes of memory the tokens of text take so far: Load ends with its
  // error. Never less than before.
  std::function<absl::Status(int64_t bytes)> hold;
};

enum class CorpusFormat { kText, kJsonLines, kNpy, kBin };

struct CorpusFile {
  std::string path;
  CorpusFormat format = CorpusFormat::kText;
  Compression compression = Compression::kNone;
};

// What the end of a file's name says; nothing when it is none of those known. FILE_UNSUPPORTED for compressed token
// files.
absl::StatusOr<std::optional<CorpusFile>> ParseEnding(const std::string& path);

// The files, folders listed. Files in folders whose names begin with a dot are passed over. FILE_UNSUPPORTED for other
// endings, for folders in folders, and for files of two kinds; EMPTY_INPUT without files; CONFIG_INVALID for an unknown
// format; FILE_NOT_FOUND.
absl::StatusOr<std::vector<CorpusFile>> ListFiles(const CorpusFiles& files);

}  // namespace superpose
