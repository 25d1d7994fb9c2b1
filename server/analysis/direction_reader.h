#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/analysis/analysis_sources.h"
#include "server/analysis/direction_rows.h"
#include "superpose/v1/direction.pb.h"

namespace superpose {

// Works out the directions that a source names, block by block: units of about 50 ms, for the device's thread.
class DirectionReader {
 public:
  enum class Keep {
    kRows,
    kNothing,  // only looks at them, and holds no more than a block: not to be taken
  };

  // Fills in the source's defaults and finds what it names. The errors of ResolveDirections; SNAPSHOT_TENSOR_MISSING.
  // Blocks on disk, computes nothing.
  static absl::StatusOr<std::unique_ptr<DirectionReader>> Open(const AnalysisSources& sources,
                                                               v1::DirectionSource* source, Keep keep = Keep::kRows);
  virtual ~DirectionReader() = default;

  virtual const DirectionShape& shape() const = 0;
  // Layer, provenance and tokens; the rest is there once it is taken.
  virtual const DirectionRows& facts() const = 0;

  // 1 or more.
  virtual int64_t units() const = 0;
  // Runs unit 0, 1, .. units() - 1, each once and in order. OUT_OF_MEMORY, COMPUTE_FAILED; of factors those of
  // StoredFactorization::Open.
  virtual absl::Status RunUnit(int64_t unit) = 0;
  // Directions that were found so far, and decoders that have none.
  virtual DirectionCount count() const = 0;
  // What is wrong with what was found so far: CONFIG_INVALID (a real decoder of length 0, by its feature),
  // TENSOR_NOT_FINITE (likewise), EMPTY_SELECTION (of predicted ones none is defined).
  virtual absl::Status Check() const = 0;
  // After the last unit, once. The errors of Check().
  virtual absl::StatusOr<DirectionRows> Take() = 0;
};

}  // namespace superpose
