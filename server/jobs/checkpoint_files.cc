#include "server/jobs/checkpoint_files.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"

namespace superpose {
namespace {

constexpr int kKept = 2;

}  // namespace

absl::Status CheckpointFiles::Write(int64_t step, const TensorMap& tensors, const StringMap& metadata) const {
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder_));
  const std::string path = absl::StrFormat("%s/checkpoint-%012d.safetensors", folder_, step);
  SUPERPOSE_RETURN_IF_ERROR(WriteSafetensors(path, tensors, metadata));
  // One of a later step is damaged: the work went on from an earlier one.
  const std::vector<std::string> paths = NewestFirst();
  const auto newest = std::find(paths.begin(), paths.end(), path);
  for (auto other = paths.begin(); other != paths.end(); ++other) {
    if (other < newest || other - newest >= kKept) SUPERPOSE_RETURN_IF_ERROR(RemoveAll(*other));
  }
  return absl::OkStatus();
}

std::vector<std::string> CheckpointFiles::NewestFirst() const {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "checkpoint-") && absl::EndsWith(name, ".safetensors"))
      paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end(), std::greater<>());
  return paths;
}

}  // namespace superpose
