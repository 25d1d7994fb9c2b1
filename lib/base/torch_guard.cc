#include "lib/base/torch_guard.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"

namespace superpose {

absl::Status CatchTorchStatus(const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const c10::OutOfMemoryError& error) {
    return ResourceExhausted(reason::kOutOfMemory,
                             "the device ran out of memory: use a smaller batch or fewer layers (",
                             std::string(*absl::StrSplit(error.what_without_backtrace(), '\n').begin()), ")");
  } catch (const std::bad_alloc&) {
    return ResourceExhausted(reason::kOutOfMemory, "the host ran out of memory: use a smaller batch or fewer layers");
  } catch (const c10::Error& error) {
    std::string first_line(*absl::StrSplit(error.what_without_backtrace(), '\n').begin());
    if (absl::StrContains(first_line, "allocate memory") || absl::StrContains(first_line, "not enough memory")) {
      return ResourceExhausted(reason::kOutOfMemory, "the host ran out of memory: ", first_line);
    }
    return InternalError(reason::kComputeFailed, first_line);
  } catch (const std::exception& error) {
    return InternalError(reason::kComputeFailed, error.what());
  }
}

}  // namespace superpose
