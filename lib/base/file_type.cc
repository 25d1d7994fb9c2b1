#include "lib/base/file_type.h"

#include <system_error>

#include "lib/base/error.h"

namespace superpose {

absl::StatusOr<std::filesystem::file_type> FileTypeOf(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_type type = std::filesystem::status(path, error).type();
  if (type != std::filesystem::file_type::none) return type;
  return NotFound(reason::kFileNotFound, "cannot read ", path, ": ", error.message());
}

}  // namespace superpose
