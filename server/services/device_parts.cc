#include "server/services/device_parts.h"

#include <utility>

#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

void SubmitPart(DeviceExecutor* executor, const std::shared_ptr<const PartedRequest>& request, bool continues) {
  DeviceRequest part;
  part.deadline = request->deadline;
  part.is_cancelled = request->is_cancelled;
  part.continues = continues;
  if (!continues) part.work = request->work;
  part.share = request->share;
  part.run = [executor, request](const absl::Status& admitted) {
    const absl::StatusOr<bool> last =
        admitted.ok() ? CatchTorch([&] { return request->run_part(); }) : absl::StatusOr<bool>(admitted);
    request->share->EndPart(executor->Now());
    if (last.ok() && !*last) {
      SubmitPart(executor, request, /*continues=*/true);
    } else {
      request->finish(last.status());
    }
  };
  const absl::Status submitted = executor->Submit(std::move(part));
  if (!submitted.ok()) request->finish(submitted);
}

}  // namespace

void RunInParts(DeviceExecutor* executor, PartedRequest request) {
  SubmitPart(executor, std::make_shared<const PartedRequest>(std::move(request)), /*continues=*/false);
}

}  // namespace superpose
