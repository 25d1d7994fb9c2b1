#include "client/cli/file_blocks.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::cli {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 18;
constexpr int64_t kFreeBytes = int64_t{16} << 20;
constexpr int64_t kMostRatio = 200;
constexpr int64_t kMostBytes = int64_t{64} << 30;

absl::StatusOr<std::unique_ptr<Unfolder>> UnfolderFor(const std::string& path) {
  if (absl::EndsWith(path, ".gz")) return UnfoldGzip();
  if (absl::EndsWith(path, ".zst")) return UnfoldZstd();
  return nullptr;
}

absl::Status NotRead(const std::string& path) {
  return client::MakeError(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", absl::StrCat("cannot read ", path));
}

}  // namespace

FileBlocks::FileBlocks(std::string path, std::unique_ptr<Unfolder> unfolder)
    : path_(std::move(path)),
      file_(path_, std::ios::binary),
      unfolder_(std::move(unfolder)),
      read_(kBlockBytes, '\0'),
      unfolded_(unfolder_ == nullptr ? 0 : kBlockBytes, '\0') {}

absl::StatusOr<std::unique_ptr<FileBlocks>> FileBlocks::Open(const std::string& path) {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(std::unique_ptr<Unfolder> unfolder, UnfolderFor(path));
  std::unique_ptr<FileBlocks> blocks(new FileBlocks(path, std::move(unfolder)));
  if (!blocks->file_) return NotRead(path);
  return blocks;
}

absl::StatusOr<absl::string_view> FileBlocks::Next() {
  while (true) {
    if (input_.empty()) SUPERPOSE_CLIENT_RETURN_IF_ERROR(Fill());
    if (unfolder_ == nullptr) return std::exchange(input_, absl::string_view());
    const bool ended = input_.empty();
    const absl::StatusOr<size_t> size = unfolder_->Unfold(&input_, unfolded_.data(), unfolded_.size());
    if (!size.ok()) {
      return client::MakeError(size.status().code(), client::ReasonOf(size.status()),
                               absl::StrCat(path_, " ", size.status().message()));
    }
    given_ += static_cast<int64_t>(*size);
    SUPERPOSE_CLIENT_RETURN_IF_ERROR(CheckLimits());
    if (*size > 0) return absl::string_view(unfolded_.data(), *size);
    if (!ended) continue;
    if (!unfolder_->MayEnd()) return Corrupt("is truncated: it ends inside its compressed data");
    return absl::string_view();
  }
}

absl::Status FileBlocks::Fill() {
  file_.read(read_.data(), static_cast<std::streamsize>(read_.size()));
  if (file_.bad()) return NotRead(path_);
  const std::streamsize count = file_.gcount();
  taken_ += count;
  input_ = absl::string_view(read_.data(), static_cast<size_t>(count));
  return absl::OkStatus();
}

absl::Status FileBlocks::CheckLimits() const {
  if (given_ > kMostBytes) return Corrupt(absl::StrCat("unfolds to more than ", kMostBytes, " bytes: split it"));
  if (given_ <= kFreeBytes || given_ / kMostRatio <= taken_) return absl::OkStatus();
  return Corrupt(absl::StrCat("unfolds to more than ", kMostRatio,
                              " times its size, as a decompression bomb does: give it uncompressed"));
}

absl::Status FileBlocks::Corrupt(absl::string_view what) const {
  return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT", absl::StrCat(path_, " ", what));
}

}  // namespace superpose::cli
