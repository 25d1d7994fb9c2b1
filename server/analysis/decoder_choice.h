// Which decoders a spec means, its defaults filled in.
#pragma once

#include "absl/status/status.h"
#include "lib/base/status_macros.h"
#include "lib/statistics/analysis/decoder_rows.h"
#include "server/analysis/take_enum.h"
#include "superpose/v1/direction.pb.h"

namespace superpose {

static_assert(static_cast<int>(PredictionMethod::kNoGate) + 1 == v1::PREDICTION_METHOD_NO_GATE);
static_assert(static_cast<int>(PredictionMethod::kGaussian) + 1 == v1::PREDICTION_METHOD_GAUSSIAN);
static_assert(static_cast<int>(DecoderKind::kPredicted) + 1 == v1::DECODER_KIND_PREDICTED);

inline absl::Status TakeMethod(v1::PredictionMethod* method, PredictionMethod* result) {
  return TakeEnum("method", method, v1::PredictionMethod_IsValid(*method), v1::PREDICTION_METHOD_ACT_GATE, result);
}

// Spec: a message with kind and method; the method is filled in where it matters.
template <typename Spec>
absl::Status TakeDecoders(Spec* spec, DecoderChoice* decoders) {
  v1::DecoderKind kind = spec->kind();
  SUPERPOSE_RETURN_IF_ERROR(
      TakeEnum("kind", &kind, v1::DecoderKind_IsValid(kind), v1::DECODER_KIND_REAL, &decoders->kind));
  spec->set_kind(kind);
  v1::PredictionMethod method = spec->method();
  SUPERPOSE_RETURN_IF_ERROR(TakeMethod(&method, &decoders->method));
  if (kind == v1::DECODER_KIND_PREDICTED) spec->set_method(method);
  return absl::OkStatus();
}

}  // namespace superpose
