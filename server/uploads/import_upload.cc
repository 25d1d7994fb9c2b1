#include "server/uploads/import_upload.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "lib/base/mapped_file.h"

namespace superpose {

absl::StatusOr<MemoryReservation> ReserveForImport(MemoryBudget* budget, UploadStore* uploads,
                                                   const std::string& upload, int64_t times, absl::string_view what) {
  const auto path = uploads->PathOf(upload);
  if (budget == nullptr || !path.ok()) return MemoryReservation();
  std::error_code error;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(*path, error));
  if (error) return MemoryReservation();
  return budget->Reserve(MemoryUse::kRequest, times * bytes, what,
                         "wait for other calls to end, unload something, or raise memory_limit_bytes");
}

bool IsZip(const std::string& path) {
  const auto file = MappedFile::Open(path);
  return file.ok() && absl::StartsWith((*file)->text(), "PK\x03\x04");
}

}  // namespace superpose
