#include "server/jobs/checkpoint_files.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/tensor_bytes.h"
#include "server/jobs/folder.h"
#include "server/jobs/storage_error.h"

namespace superpose {
namespace {

constexpr int kKept = 2;

}  // namespace

absl::Status CheckpointFiles::Write(int64_t step, const TensorMap& tensors, const StringMap& metadata,
                                    const KeepWriting& keep_writing) const {
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder_));
  SUPERPOSE_RETURN_IF_ERROR(CheckRoomFor(TensorBytes(tensors), folder_));
  const std::string path = absl::StrFormat("%s/checkpoint-%012d.safetensors", folder_, step);
  SUPERPOSE_RETURN_IF_ERROR(WriteSafetensors(path, tensors, metadata, keep_writing));
  // One of a later step is damaged: the work went on from an earlier one.
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> paths, NewestFirst());
  const auto newest = std::find(paths.begin(), paths.end(), path);
  for (auto other = paths.begin(); other != paths.end(); ++other) {
    if (other < newest || other - newest >= kKept) SUPERPOSE_RETURN_IF_ERROR(RemoveAll(*other));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> CheckpointFiles::NewestFirst() const {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator next(folder_, error), end; !error && next != end; next.increment(error)) {
    const std::string name = next->path().filename().string();
    if (absl::StartsWith(name, "checkpoint-") && absl::EndsWith(name, ".safetensors"))
      paths.push_back(next->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return SystemError(error.value(), absl::StrCat("list ", folder_));
  std::sort(paths.begin(), paths.end(), std::greater<>());
  return paths;
}

}  // namespace superpose
