#include "lib/midcoder/input_checks.h"

#include <ATen/ATen.h>

#include <limits>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {

absl::Status CheckLayerInputs(const Model& model, const Transcoder& transcoder, int64_t layer) {
  SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(layer));
  if (transcoder.d_model() != model.config().d_model) {
    return InvalidArgument(reason::kTranscoderMismatch, "the transcoder for layer ", layer, " has d_model ",
                           transcoder.d_model(), ", the model ", model.config().d_model,
                           "; give one that was trained on this model");
  }
  if (transcoder.tensor("W_dec").device() != model.device()) {
    return InvalidArgument(reason::kTranscoderMismatch, "the transcoder for layer ", layer, " is on ",
                           transcoder.tensor("W_dec").device().str(), ", the model on ", model.device().str(),
                           "; load both on one device");
  }
  return absl::OkStatus();
}

absl::Status CheckBatch(const Model& model, int64_t batch_size, int64_t length) {
  if (length > model.config().n_positions) {
    return InvalidArgument(reason::kContextExceeded, "sequences have ", length, " tokens; the model takes at most ",
                           model.config().n_positions);
  }
  // Rows are counted in 32 bits (TransposedActivations).
  constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();
  if (batch_size <= kMostRows / length) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "batch_size is ", batch_size, "; with sequences of ", length,
                         " tokens it must be at most ", kMostRows / length);
}

}  // namespace superpose
