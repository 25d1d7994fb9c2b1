#include "server/runtime/free_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const fs::path& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number after `name` in lines of "name number ..".
std::optional<int64_t> Field(const std::string& text, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, name)) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(rest, ' ', absl::SkipEmpty());
    int64_t value = 0;
    if (!words.empty() && absl::SimpleAtoi(words[0], &value)) return value;
  }
  return std::nullopt;
}

std::optional<int64_t> Number(const fs::path& path) { return Field(ReadText(path), ""); }

// What one control group leaves; nothing when it has no limit ("max"). Pages of files that nobody uses are not counted
// against it.
std::optional<int64_t> FreeInGroup(const fs::path& group, const char* limit_file, const char* usage_file,
                                   const char* inactive) {
  const std::optional<int64_t> limit = Number(group / limit_file);
  const std::optional<int64_t> usage = Number(group / usage_file);
  if (!limit.has_value() || !usage.has_value()) return std::nullopt;
  const int64_t reclaimable = Field(ReadText(group / "memory.stat"), inactive).value_or(0);
  return std::max<int64_t>(0, *limit - std::max<int64_t>(0, *usage - reclaimable));
}

// The group of the process in the second version's one tree, "/" when it cannot be told.
std::string GroupOfProcess(const std::string& proc) {
  for (const absl::string_view line : absl::StrSplit(ReadText(fs::path(proc) / "self" / "cgroup"), '\n')) {
    absl::string_view path = line;
    if (absl::ConsumePrefix(&path, "0::")) return std::string(path);
  }
  return "/";
}

int64_t FreeInGroups(const MemoryFiles& files) {
  int64_t least = std::numeric_limits<int64_t>::max();
  const auto take = [&](std::optional<int64_t> free) { least = std::min(least, free.value_or(least)); };
  for (fs::path path = GroupOfProcess(files.proc);; path = path.parent_path()) {
    const fs::path group = fs::path(files.cgroup) / path.relative_path();
    take(FreeInGroup(group, "memory.max", "memory.current", "inactive_file"));
    if (!path.has_relative_path()) break;
  }
  take(FreeInGroup(fs::path(files.cgroup) / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                   "total_inactive_file"));
  return least;
}

}  // namespace

absl::StatusOr<int64_t> FreeHostMemory(const MemoryFiles& files) {
  const fs::path meminfo = fs::path(files.proc) / "meminfo";
  const std::optional<int64_t> kilobytes = Field(ReadText(meminfo), "MemAvailable:");
  if (!kilobytes.has_value()) {
    return NotFound(reason::kFileNotFound, meminfo.string(), " does not say MemAvailable: set memory_limit_bytes");
  }
  return std::min(*kilobytes * 1024, FreeInGroups(files));
}

absl::StatusOr<int64_t> FreeMemory(c10::Device device) {
  if (device.is_cpu()) return FreeHostMemory();
  return CatchTorch([&]() -> absl::StatusOr<int64_t> {
    auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
    if (allocator == nullptr) {
      return FailedPrecondition(reason::kDeviceUnavailable, "device ", device.str(),
                                " does not say how much memory it has: set memory_limit_bytes");
    }
    const auto index = static_cast<c10::DeviceIndex>(std::max<int>(0, device.index()));
    return static_cast<int64_t>(allocator->getMemoryInfo(index).first);
  });
}

}  // namespace superpose
