#include <zstd.h>
#include <zstd_errors.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/corpus/unfolding.h"

namespace superpose {
namespace {

// One zstd frame after the other.
class ZstdBlocks final : public Unfolding {
 public:
  explicit ZstdBlocks(std::shared_ptr<const MappedFile> file)
      : Unfolding(std::move(file)), stream_(ZSTD_createDStream()) {}
  ZstdBlocks(const ZstdBlocks&) = delete;
  ZstdBlocks& operator=(const ZstdBlocks&) = delete;
  ~ZstdBlocks() override { ZSTD_freeDStream(stream_); }

 protected:
  absl::StatusOr<size_t> Unfold(absl::string_view* input, char* out, size_t size) override {
    if (stream_ == nullptr) return ResourceExhausted(reason::kOutOfMemory, "no memory to unfold ", file().path());
    ZSTD_inBuffer in{input->data(), input->size(), 0};
    ZSTD_outBuffer written{out, size, 0};
    while (written.pos < size && (in.pos < in.size || expected_ != 0)) {
      const size_t before = in.pos + written.pos;
      expected_ = ZSTD_decompressStream(stream_, &written, &in);
      if (ZSTD_isError(expected_) != 0) return Failed(expected_);
      if (in.pos + written.pos == before) return Corrupt("is truncated: it ends inside its zstd data");
    }
    input->remove_prefix(in.pos);
    return written.pos;
  }

 private:
  absl::Status Failed(size_t code) const {
    const ZSTD_ErrorCode error = ZSTD_getErrorCode(code);
    if (error == ZSTD_error_memory_allocation) {
      return ResourceExhausted(reason::kOutOfMemory, "no memory to unfold ", file().path());
    }
    if (error == ZSTD_error_frameParameter_windowTooLarge) {
      return InvalidArgument(reason::kFileUnsupported, file().path(),
                             " has a window over 128 MiB: compress it without --long or --ultra");
    }
    return Corrupt(absl::StrCat("is no valid zstd file: ", ZSTD_getErrorName(code)));
  }

  ZSTD_DStream* const stream_;
  size_t expected_ = 1;  // bytes that the frame still needs, about; 0 between frames; a file holds at least one
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteBlocks>> UnfoldZstd(std::shared_ptr<const MappedFile> file) {
  return std::make_unique<ZstdBlocks>(std::move(file));
}

}  // namespace superpose
