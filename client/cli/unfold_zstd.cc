#include <zstd.h>
#include <zstd_errors.h>

#include "absl/strings/str_cat.h"
#include "client/cli/unfolder.h"
#include "client/cpp/errors.h"

namespace superpose::cli {
namespace {

absl::Status NoMemory() {
  return client::MakeError(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY", "no memory to unfold zstd");
}

absl::Status Failed(size_t code) {
  const ZSTD_ErrorCode error = ZSTD_getErrorCode(code);
  if (error == ZSTD_error_memory_allocation) return NoMemory();
  if (error == ZSTD_error_frameParameter_windowTooLarge) {
    return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED",
                             "has a window over 128 MiB: compress it without --long or --ultra");
  }
  return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT",
                           absl::StrCat("is no valid zstd file: ", ZSTD_getErrorName(code)));
}

class ZstdUnfolder final : public Unfolder {
 public:
  ZstdUnfolder() : stream_(ZSTD_createDStream()) {}
  ZstdUnfolder(const ZstdUnfolder&) = delete;
  ZstdUnfolder& operator=(const ZstdUnfolder&) = delete;
  ~ZstdUnfolder() override { ZSTD_freeDStream(stream_); }
  bool started() const { return stream_ != nullptr; }

  absl::StatusOr<size_t> Unfold(absl::string_view* input, char* out, size_t size) override {
    ZSTD_inBuffer in{input->data(), input->size(), 0};
    ZSTD_outBuffer written{out, size, 0};
    while (written.pos < size && (in.pos < in.size || expected_ != 0)) {
      const size_t before = in.pos + written.pos;
      expected_ = ZSTD_decompressStream(stream_, &written, &in);
      if (ZSTD_isError(expected_) != 0) return Failed(expected_);
      if (in.pos + written.pos == before) break;
    }
    input->remove_prefix(in.pos);
    return written.pos;
  }

  bool MayEnd() const override { return expected_ == 0; }

 private:
  ZSTD_DStream* const stream_;
  size_t expected_ = 1;  // bytes that the frame still needs, about; 0 between frames; a file holds at least one
};

}  // namespace

absl::StatusOr<std::unique_ptr<Unfolder>> UnfoldZstd() {
  auto unfolder = std::make_unique<ZstdUnfolder>();
  if (!unfolder->started()) return NoMemory();
  return unfolder;
}

}  // namespace superpose::cli
