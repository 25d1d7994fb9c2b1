#include "lib/corpus/byte_blocks.h"

#include <utility>

#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"
#include "lib/corpus/unfolding.h"

namespace superpose {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;

class PlainFile final : public ByteBlocks {
 public:
  explicit PlainFile(std::shared_ptr<const MappedFile> file) : file_(std::move(file)), rest_(file_->text()) {}
  absl::StatusOr<absl::string_view> Next() override { return std::exchange(rest_, absl::string_view()); }

 private:
  const std::shared_ptr<const MappedFile> file_;
  absl::string_view rest_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteBlocks>> ByteBlocks::Open(const std::string& path, Compression compression) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  if (compression == Compression::kGzip) return UnfoldGzip(std::move(file));
  if (compression == Compression::kZstd) return UnfoldZstd(std::move(file));
  return std::make_unique<PlainFile>(std::move(file));
}

Unfolding::Unfolding(std::shared_ptr<const MappedFile> file)
    : file_(std::move(file)), input_(file_->text()), block_(kBlockBytes, '\0') {}

absl::StatusOr<absl::string_view> Unfolding::Next() {
  SUPERPOSE_ASSIGN_OR_RETURN(const size_t size, Unfold(&input_, block_.data(), block_.size()));
  unfolded_ += static_cast<int64_t>(size);
  SUPERPOSE_RETURN_IF_ERROR(CheckLimits());
  return absl::string_view(block_.data(), size);
}

absl::Status Unfolding::Corrupt(absl::string_view what) const {
  return InvalidArgument(reason::kFileCorrupt, file_->path(), " ", what);
}

absl::Status Unfolding::CheckLimits() const {
  using Limits = UnfoldLimits;
  if (unfolded_ > Limits::kMostBytes) {
    return Corrupt(absl::StrCat("unfolds to more than ", Limits::kMostBytes, " bytes: split it"));
  }
  const int64_t taken = static_cast<int64_t>(file_->size() - input_.size());
  if (unfolded_ <= Limits::kFreeBytes || unfolded_ / Limits::kMostRatio <= taken) return absl::OkStatus();
  return Corrupt(absl::StrCat("unfolds to more than ", Limits::kMostRatio,
                              " times its size, as a decompression bomb does: give it uncompressed"));
}

}  // namespace superpose
