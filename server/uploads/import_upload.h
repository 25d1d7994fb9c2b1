// What whoever imports uploaded files asks of them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/runtime/memory_budget.h"
#include "server/uploads/upload_store.h"

namespace superpose {

// Memory of `times` the bytes of a complete upload, nothing without a budget. MEMORY_EXCEEDED, with `what` as in
// MemoryBudget::Reserve. An upload that is not there takes nothing: whoever reads it says what is wrong.
absl::StatusOr<MemoryReservation> ReserveForImport(MemoryBudget* budget, UploadStore* uploads,
                                                   const std::string& upload, int64_t times, absl::string_view what);

// Whether a file begins as a zip archive does, which is what torch.save writes.
bool IsZip(const std::string& path);

}  // namespace superpose
