#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/midcoder/midcoder.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/snapshot_data.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/statistics.pb.h"

namespace superpose {

// A stored snapshot with all that questions about it need: it stays mapped, a midcoder's parameters too, and the model
// loaded, for as long as this lives.
class SnapshotInputs {
 public:
  // `transcoder`: a selector; "": the one that the snapshot was made with. SNAPSHOT_NOT_FOUND, those of the registry
  // and of SnapshotData, SNAPSHOT_MISMATCH when the model or the transcoder that is loaded is not the one that the
  // snapshot was made with. Blocks on disk.
  static absl::StatusOr<std::unique_ptr<const SnapshotInputs>> Open(const std::string& snapshot,
                                                                    const std::string& transcoder,
                                                                    const ModelRegistry& registry,
                                                                    SnapshotStore* snapshots);
  SnapshotInputs(const SnapshotInputs&) = delete;
  SnapshotInputs& operator=(const SnapshotInputs&) = delete;

  const v1::Snapshot& facts() const { return facts_; }
  const ModelAndTranscoder& loaded() const { return loaded_; }
  const SnapshotData& data() const { return *data_; }
  // They point into this.
  AnalysisInputs inputs() const;

 private:
  SnapshotInputs(v1::Snapshot facts, ModelAndTranscoder loaded)
      : facts_(std::move(facts)), loaded_(std::move(loaded)) {}
  absl::Status Prepare(TensorMap tensors);

  const v1::Snapshot facts_;
  const ModelAndTranscoder loaded_;
  std::optional<SnapshotData> data_;
  std::optional<Midcoder> midcoder_;
};

}  // namespace superpose
