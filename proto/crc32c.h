#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace superpose {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of some bytes: the checksum that TensorChunk carries.
uint32_t Crc32c(absl::string_view data);

}  // namespace superpose
