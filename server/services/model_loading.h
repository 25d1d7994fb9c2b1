// Loads and unloads models and transcoders while others work.
//
// Weights are read and processed on a thread of their own, which takes one core and never the device's thread: reading
// waits for the disk, and what waits must not be in front of requests. What is known changes on the storage worker,
// where jobs are submitted too: so no job comes between the question whether one uses a thing and its removal.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/job_store.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/load_model.h"
#include "server/runtime/load_roots.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "superpose/v1/model_service.pb.h"

namespace superpose {

// Thread-safe.
class ModelLoading {
 public:
  struct Parts {
    ModelRegistry* registry = nullptr;
    JobStore* jobs = nullptr;
    MidcoderStore* midcoders = nullptr;
    SnapshotStore* snapshots = nullptr;
    Worker* storage_worker = nullptr;
    Worker* loading_worker = nullptr;
    // Told when a model begins and ends to serve.
    std::function<void(const std::string& model, bool serving)> on_change;
  };
  using Done = std::function<void(const absl::Status& status)>;

  ModelLoading(const Parts& parts, const LoadContext& context, LoadRoots roots);

  // Each calls `done` once, from any thread. Before that, `loaded` is set when all went well.
  // CONFIG_INVALID, PATH_NOT_ALLOWED, RESOURCE_EXISTS, MEMORY_EXCEEDED, errors of the files: then all is as it was.
  void LoadModel(const v1::ModelEntry& entry, std::shared_ptr<ModelHandle> loaded, Done done);
  // The same; MODEL_NOT_FOUND; RESOURCE_IN_USE when one is to be replaced that a job uses.
  void LoadTranscoder(const v1::LoadTranscoderRequest& request, std::shared_ptr<TranscoderHandle> loaded, Done done);
  // `done` is called when the memory has been given back: calls under way end first. MODEL_NOT_FOUND,
  // TRANSCODER_NOT_FOUND, RESOURCE_IN_USE.
  void UnloadModel(const std::string& name, Done done);
  void UnloadTranscoder(const std::string& name, Done done);

 private:
  absl::StatusOr<ModelHandle> ReadModel(v1::ModelEntry entry) const;
  struct ReadTranscoderResult {
    ModelHandle model;
    TranscoderHandle transcoder;
  };
  absl::StatusOr<ReadTranscoderResult> ReadTranscoder(const v1::LoadTranscoderRequest& request) const;
  absl::Status AddTranscoder(const ReadTranscoderResult& read, bool replace) const;
  absl::Status CheckMayBePut(const std::string& transcoder, bool replace) const;
  absl::Status ResolvePaths(v1::TranscoderEntry* entry) const;
  absl::StatusOr<ModelHandle> TakeModelOut(const std::string& name) const;
  absl::StatusOr<TranscoderHandle> TakeTranscoderOut(const std::string& name) const;

  const Parts parts_;
  const LoadContext context_;
  const LoadRoots roots_;
};

}  // namespace superpose
