// Token files: one-dimensional .npy, written as the tokens come.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace superpose::cli {

// Writes token ids to one file when `out` ends in .npy, else to a folder of shards, tokens-00000.npy and so on. A file
// appears under its name once it is whole; without Finish() the one under way is removed.
class ShardWriter {
 public:
  // `wide`: uint32, else uint16. FAILED_PRECONDITION / FILE_WRITE_FAILED when something is there already, or cannot be
  // written.
  static absl::StatusOr<std::unique_ptr<ShardWriter>> Create(const std::string& out, bool wide, int64_t shard_tokens);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  // Ids that the vocabulary holds. FAILED_PRECONDITION / FILE_WRITE_FAILED.
  absl::Status Write(const std::vector<int32_t>& ids);
  absl::Status Finish();

  const std::vector<std::string>& paths() const { return paths_; }
  int64_t tokens() const { return tokens_; }  // in all files

 private:
  ShardWriter(std::string out, bool is_file, bool wide, int64_t shard_tokens)
      : out_(std::move(out)), is_file_(is_file), wide_(wide), shard_tokens_(shard_tokens) {}
  std::string NextPath() const;
  std::string Header() const;
  absl::Status BeginFile();
  absl::Status EndFile();

  const std::string out_;
  const bool is_file_;
  const bool wide_;
  const int64_t shard_tokens_;
  std::ofstream file_;
  int64_t tokens_in_file_ = 0;
  int64_t tokens_ = 0;
  std::vector<std::string> paths_;
};

}  // namespace superpose::cli
