#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "server/analysis/analysis_sources.h"
#include "server/analysis/decoder_choice.h"
#include "server/analysis/snapshot_inputs.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/direction.pb.h"

namespace superpose {

// Decoders that a source names.
struct ChosenDecoders {
  std::unique_ptr<const SnapshotInputs> snapshot;  // null where none takes part
  ModelAndTranscoder loaded;
  DecoderChoice choice;
  at::Tensor ids;    // int64 [n]
  at::Tensor ranks;  // int64 [n]

  const Transcoder& transcoder() const { return *loaded.transcoder->transcoder; }
  const SnapshotData* data() const { return snapshot == nullptr ? nullptr : &snapshot->data(); }
  AnalysisInputs inputs() const {
    if (snapshot != nullptr) return snapshot->inputs();
    return {.snapshot = nullptr,
            .model = loaded.model->model.get(),
            .transcoder = &transcoder(),
            .layer = loaded.transcoder->layer,
            .midcoder = nullptr};
  }
};

// Fills in the defaults of a source that is no factorization's, as ResolveDirections (direction_rows.h), with its
// errors. Blocks on disk. Call inside CatchTorch.
absl::StatusOr<ChosenDecoders> ChooseDecoders(const AnalysisSources& sources, v1::DirectionSource* source);

}  // namespace superpose
