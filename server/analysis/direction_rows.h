// The directions that a source names, as rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/analysis/analysis_sources.h"
#include "superpose/v1/direction.pb.h"
#include "superpose/v1/model.pb.h"

namespace superpose {

struct DirectionRows {
  at::Tensor rows;        // float32 [n, d] on the CPU, contiguous, of length 1
  at::Tensor ids;         // int64 [n]: features, or factors 0 .. n - 1
  at::Tensor ranks;       // int64 [n]: by frequency, -1 where not known; of factors undefined
  int64_t undefined = 0;  // predicted decoders that are not defined or of length 0, and were left out
  int64_t layer = 0;
  int64_t tokens = 0;  // of the snapshot that took part
  v1::Provenance provenance;
};

// How many directions and how wide, before any is worked out.
struct DirectionShape {
  int64_t rows = 0;
  int64_t width = 0;
  at::Tensor ids = {};  // int64 [rows]: features; of factors undefined
  // Most that reading them takes beside the rows themselves.
  int64_t reading_bytes = 0;
};

// Fills in the defaults of a source: transcoder, kind, method, by. Ids that are named twice are kept twice; of those
// that `top` chooses from, features of unknown frequency come last. CONFIG_INVALID for a source that names too much or
// too little; errors of the registry, of SnapshotStore and FactorizationStore, of SelectFeatures and OrderByFrequency;
// SNAPSHOT_MISMATCH when the model or transcoder that is loaded is not the snapshot's. Blocks on disk.
absl::StatusOr<DirectionShape> ResolveDirections(const AnalysisSources& sources, v1::DirectionSource* source);

// The rows of a source that was resolved. Then CONFIG_INVALID (a real decoder of length 0, by its feature),
// TENSOR_NOT_FINITE (likewise), EMPTY_SELECTION (nothing is left), SNAPSHOT_TENSOR_MISSING. Factors are mapped: never
// to be written to. Blocks on disk and computes: for 20,000 predicted decoders of GPT-2's size about a second.
absl::StatusOr<DirectionRows> ReadDirections(const AnalysisSources& sources, const v1::DirectionSource& source);

// Looks at the directions of a source that was resolved, block by block, and holds none: at no more predicted ones than
// it takes to find `enough` that are defined. The errors of ReadDirections.
struct DirectionCount {
  int64_t defined = 0;
  int64_t undefined = 0;
};
absl::StatusOr<DirectionCount> CountDirections(const AnalysisSources& sources, const v1::DirectionSource& source,
                                               int64_t enough);

}  // namespace superpose
