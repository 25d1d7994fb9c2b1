#include <zlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/unfolder.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::cli {
namespace {

absl::Status NoMemory() {
  return client::MakeError(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY", "no memory to unfold gzip");
}

class GzipUnfolder final : public Unfolder {
 public:
  GzipUnfolder() = default;
  GzipUnfolder(const GzipUnfolder&) = delete;
  GzipUnfolder& operator=(const GzipUnfolder&) = delete;
  ~GzipUnfolder() override {
    if (started_) inflateEnd(&stream_);
  }
  absl::Status Start() {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    started_ = inflateInit2(&stream_, kGzipOnly) == Z_OK;
    return started_ ? absl::OkStatus() : NoMemory();
  }

  absl::StatusOr<size_t> Unfold(absl::string_view* input, char* out, size_t size) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(size);
    bool more = true;
    while (more && stream_.avail_out > 0) {
      if (between_members_) input->remove_prefix(std::min(input->find_first_not_of('\0'), input->size()));
      if (between_members_ && input->empty()) break;
      const uInt room = stream_.avail_out;
      const size_t left = input->size();
      SUPERPOSE_CLIENT_RETURN_IF_ERROR(Step(input));
      more = !input->empty() || input->size() != left || stream_.avail_out != room;
    }
    return size - stream_.avail_out;
  }

  bool MayEnd() const override { return between_members_; }

 private:
  absl::Status Step(absl::string_view* input) {
    if (std::exchange(between_members_, false)) inflateReset(&stream_);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input->data()));
    stream_.avail_in = static_cast<uInt>(input->size());
    const int code = inflate(&stream_, Z_NO_FLUSH);
    input->remove_prefix(input->size() - stream_.avail_in);
    if (code == Z_MEM_ERROR) return NoMemory();
    if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END) {
      const char* what = stream_.msg == nullptr ? "unknown error" : stream_.msg;
      return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT",
                               absl::StrCat("is no valid gzip file: ", what));
    }
    between_members_ = code == Z_STREAM_END;
    return absl::OkStatus();
  }

  z_stream stream_{};
  bool started_ = false;
  bool between_members_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Unfolder>> UnfoldGzip() {
  auto unfolder = std::make_unique<GzipUnfolder>();
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(unfolder->Start());
  return unfolder;
}

}  // namespace superpose::cli
