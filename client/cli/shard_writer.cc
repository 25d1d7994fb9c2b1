#include "client/cli/shard_writer.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::cli {
namespace {

namespace fs = std::filesystem;

// The header's room, whatever the number in it: it is written again at the end.
constexpr size_t kHeaderBytes = 128;
constexpr size_t kPrefixBytes = 10;

absl::Status WriteFailed(absl::string_view path, absl::string_view why) {
  return client::MakeError(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED", absl::StrCat(path, " ", why));
}

std::string TemporaryOf(const std::string& path) {
  const fs::path whole(path);
  return (whole.parent_path() / absl::StrCat(".", whole.filename().string(), ".tmp")).string();
}

template <typename Integer>
std::string LittleEndian(const std::vector<int32_t>& ids, size_t begin, size_t end) {
  std::string bytes;
  bytes.reserve((end - begin) * sizeof(Integer));
  for (size_t i = begin; i < end; ++i) {
    for (size_t byte = 0; byte < sizeof(Integer); ++byte) {
      bytes += static_cast<char>(static_cast<uint32_t>(ids[i]) >> (8 * byte) & 0xff);
    }
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShardWriter>> ShardWriter::Create(const std::string& out, bool wide,
                                                                 int64_t shard_tokens) {
  const bool is_file = absl::EndsWith(out, ".npy");
  std::error_code error;
  if (is_file && fs::exists(out, error)) return WriteFailed(out, "exists already: remove it, or give another name");
  if (!is_file) {
    fs::create_directories(out, error);
    if (error) return WriteFailed(out, absl::StrCat("cannot be made: ", error.message()));
    if (!fs::is_empty(out, error) || error) return WriteFailed(out, "is not empty: give another folder");
  }
  const int64_t most = is_file ? std::numeric_limits<int64_t>::max() : shard_tokens;
  return std::unique_ptr<ShardWriter>(new ShardWriter(out, is_file, wide, most));
}

ShardWriter::~ShardWriter() {
  if (!file_.is_open()) return;
  file_.close();
  std::error_code error;
  fs::remove(TemporaryOf(NextPath()), error);
}

std::string ShardWriter::NextPath() const {
  return is_file_ ? out_ : (fs::path(out_) / absl::StrFormat("tokens-%05d.npy", paths_.size())).string();
}

std::string ShardWriter::Header() const {
  std::string text = absl::StrCat("{'descr': '", wide_ ? "<u4" : "<u2", "', 'fortran_order': False, 'shape': (",
                                  tokens_in_file_, ",), }");
  text.resize(kHeaderBytes - kPrefixBytes - 1, ' ');
  const char length = static_cast<char>(kHeaderBytes - kPrefixBytes);
  return absl::StrCat(absl::string_view("\x93NUMPY\x01\x00", 8), std::string({length, '\0'}), text, "\n");
}

absl::Status ShardWriter::Write(const std::vector<int32_t>& ids) {
  for (size_t begin = 0; begin < ids.size();) {
    if (!file_.is_open()) SUPERPOSE_CLIENT_RETURN_IF_ERROR(BeginFile());
    const auto room = static_cast<uint64_t>(shard_tokens_ - tokens_in_file_);
    const size_t end = begin + static_cast<size_t>(std::min<uint64_t>(room, ids.size() - begin));
    file_ << (wide_ ? LittleEndian<uint32_t>(ids, begin, end) : LittleEndian<uint16_t>(ids, begin, end));
    if (!file_) return WriteFailed(NextPath(), "cannot be written: is the disk full?");
    tokens_in_file_ += static_cast<int64_t>(end - begin);
    tokens_ += static_cast<int64_t>(end - begin);
    begin = end;
    if (tokens_in_file_ == shard_tokens_) SUPERPOSE_CLIENT_RETURN_IF_ERROR(EndFile());
  }
  return absl::OkStatus();
}

absl::Status ShardWriter::Finish() { return file_.is_open() ? EndFile() : absl::OkStatus(); }

absl::Status ShardWriter::BeginFile() {
  tokens_in_file_ = 0;
  file_.open(TemporaryOf(NextPath()), std::ios::binary | std::ios::trunc);
  file_ << Header();
  return file_ ? absl::OkStatus() : WriteFailed(NextPath(), "cannot be written");
}

absl::Status ShardWriter::EndFile() {
  const std::string path = NextPath();
  file_.seekp(0);
  file_ << Header();
  file_.close();
  if (!file_ || std::rename(TemporaryOf(path).c_str(), path.c_str()) != 0) {
    return WriteFailed(path, "cannot be written: is the disk full?");
  }
  paths_.push_back(path);
  return absl::OkStatus();
}

}  // namespace superpose::cli
