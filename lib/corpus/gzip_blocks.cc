#include <zlib.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/corpus/unfolding.h"

namespace superpose {
namespace {

// One gzip member after the other, as gzip itself reads them. Zeros may follow a member: tapes and tar fill blocks with
// them.
class GzipBlocks final : public Unfolding {
 public:
  explicit GzipBlocks(std::shared_ptr<const MappedFile> file) : Unfolding(std::move(file)) {}
  GzipBlocks(const GzipBlocks&) = delete;
  GzipBlocks& operator=(const GzipBlocks&) = delete;
  ~GzipBlocks() override {
    if (started_) inflateEnd(&stream_);
  }
  absl::Status Start() {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    started_ = inflateInit2(&stream_, kGzipOnly) == Z_OK;
    return started_ ? absl::OkStatus() : ResourceExhausted(reason::kOutOfMemory, "no memory to unfold a gzip file");
  }

 protected:
  absl::StatusOr<size_t> Unfold(absl::string_view* input, char* out, size_t size) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out > 0) {
      if (between_members_) input->remove_prefix(std::min(input->find_first_not_of('\0'), input->size()));
      if (between_members_ && input->empty()) break;
      SUPERPOSE_RETURN_IF_ERROR(Step(input));
    }
    return size - stream_.avail_out;
  }

 private:
  absl::Status Step(absl::string_view* input) {
    if (std::exchange(between_members_, false)) inflateReset(&stream_);
    const size_t given = std::min<size_t>(input->size(), std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input->data()));
    stream_.avail_in = static_cast<uInt>(given);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    input->remove_prefix(given - stream_.avail_in);
    if (code == Z_STREAM_END) {
      between_members_ = true;
    } else if (code == Z_MEM_ERROR) {
      return ResourceExhausted(reason::kOutOfMemory, "no memory to unfold ", file().path());
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return Corrupt(absl::StrCat("is no valid gzip file", stream_.msg == nullptr ? "" : ": ",
                                  stream_.msg == nullptr ? "" : stream_.msg));
    } else if (input->empty() && stream_.avail_out > 0) {
      return Corrupt("is truncated: it ends inside its gzip data");
    }
    return absl::OkStatus();
  }

  z_stream stream_{};
  bool started_ = false;
  bool between_members_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteBlocks>> UnfoldGzip(std::shared_ptr<const MappedFile> file) {
  auto blocks = std::make_unique<GzipBlocks>(std::move(file));
  SUPERPOSE_RETURN_IF_ERROR(blocks->Start());
  return blocks;
}

}  // namespace superpose
