#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/base/error.h"

namespace superpose {

// The enums of the contract have the library's values in their order, after UNSPECIFIED, which means the default, and
// is filled in. CONFIG_INVALID for a value that this server does not know.
template <typename Ours, typename Theirs>
absl::Status TakeEnum(absl::string_view field, Theirs* value, bool is_known, Theirs standard, Ours* result) {
  if (!is_known) {
    return InvalidArgument(reason::kConfigInvalid, field, " has a value, ", static_cast<int>(*value),
                           ", that this server does not know");
  }
  if (static_cast<int>(*value) == 0) *value = standard;
  *result = static_cast<Ours>(static_cast<int>(*value) - 1);
  return absl::OkStatus();
}

}  // namespace superpose
