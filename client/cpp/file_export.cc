#include "client/cpp/file_export.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/backoff.h"
#include "client/cpp/errors.h"

namespace superpose::client {
namespace {

// Streams in a row that may break without a new byte.
constexpr int kMostFruitlessStreams = 5;

}  // namespace

absl::StatusOr<ExportForm> ExportFormOf(const std::string& path) {
  if (absl::EndsWith(path, ".safetensors")) return ExportForm::kSafetensors;
  if (absl::EndsWith(path, ".pt")) return ExportForm::kReference;
  return MakeError(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                   absl::StrCat("'", path, "' must end in .safetensors or .pt: that says which format to write"));
}

absl::Status DownloadFile(const std::function<absl::Status(FileDownload* download)>& read_stream,
                          FileDownload* download) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2));
  int fruitless = 0;
  while (true) {
    const int64_t before = download->received();
    absl::Status status = read_stream(download);
    if (download->complete()) return download->Keep();
    if (status.ok()) status = absl::DataLossError("the stream ended before the file did");
    if (!absl::IsUnavailable(status) && !absl::IsDataLoss(status)) return status;
    fruitless = download->received() > before ? 0 : fruitless + 1;
    if (fruitless == kMostFruitlessStreams) return status;
    Pause(backoff.Next(), {});
  }
}

}  // namespace superpose::client
