#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/midcoder/midcoder.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/midcoder_store.h"
#include "server/runtime/memory_budget.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose {

// A midcoder of the store on its way to the device: already there, or in files that have been read.
struct OpenMidcoder {
  v1::Midcoder facts;
  std::shared_ptr<const Midcoder> loaded;  // null: to be made of the weights
  TensorMap weights;
};

// Midcoders on the device; the last few that were asked for stay there until somebody else needs the memory.
// Thread-safe.
class MidcoderCache {
 public:
  // The budget's cache as long as it lives. Both must outlive this.
  MidcoderCache(MidcoderStore* store, MemoryBudget* budget);
  ~MidcoderCache();
  MidcoderCache(const MidcoderCache&) = delete;
  MidcoderCache& operator=(const MidcoderCache&) = delete;

  // Blocks on disk. Errors: those of MidcoderStore::Open.
  absl::StatusOr<OpenMidcoder> Open(const std::string& name);
  // On the device's thread. `model` and `d_sae` are those that it was trained for. What it takes is reserved until the
  // last that holds it lets go. Errors: Midcoder::FromTensors, MEMORY_EXCEEDED.
  absl::StatusOr<std::shared_ptr<const Midcoder>> Load(const OpenMidcoder& midcoder, const Model& model, int64_t d_sae);

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<const Midcoder> midcoder;
  };
  std::shared_ptr<const Midcoder> Find(const std::string& name);
  // Lets go of the one that was used longest ago, among those that nobody holds.
  bool DropOne();

  MidcoderStore* const store_;
  MemoryBudget* const budget_;
  Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // the one used last first
};

}  // namespace superpose
