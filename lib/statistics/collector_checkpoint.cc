// Checkpoints of StatisticsCollector.
#include <ATen/ATen.h>

#include <cassert>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/midcoder/checkpoint_checks.h"
#include "lib/midcoder/statistics_checkpoint.h"
#include "lib/statistics/collector.h"

namespace superpose {
namespace {

constexpr char kFormat[] = "superpose-statistics-checkpoint-1";

void AppendLayer(std::string* out, const CollectedLayer& layer) { absl::StrAppend(out, layer.layer); }

}  // namespace

// Everything that a resumed run must share with the one that wrote the checkpoint.
StringMap StatisticsCollector::Identity() const {
  StringMap identity{{"model", inputs_.model->content_hash()},
                     {"corpus", inputs_.corpus_hash},
                     {"config.layers", absl::StrJoin(inputs_.layers, ",", AppendLayer)},
                     {"config.first_sequence", absl::StrCat(config_.first_sequence)},
                     {"config.tokens", absl::StrCat(config_.tokens)},
                     {"config.batch_size", absl::StrCat(config_.batch_size)},
                     {"config.context_length", absl::StrCat(length_)},
                     {"config.include_bos", config_.include_bos ? "true" : "false"}};
  for (size_t i = 0; i < inputs_.layers.size(); ++i) {
    const CollectedLayer& layer = inputs_.layers[i];
    identity[absl::StrCat("transcoder", i)] = layer.transcoder->content_hash();
    identity[absl::StrCat("midcoder", i)] = layer.midcoder == nullptr ? "none" : layer.midcoder_hash;
  }
  identity.merge(IdentityOfSums(sums_));
  return identity;
}

TensorMap StatisticsCollector::CheckpointTensors() const {
  assert(at_boundary());
  return CheckpointOfSums(sums_);
}

StringMap StatisticsCollector::CheckpointMetadata() const {
  StringMap metadata = Identity();
  metadata["format"] = kFormat;
  metadata["sequences_end"] = absl::StrCat(sequence_);
  return metadata;
}

absl::Status StatisticsCollector::Restore(const TensorMap& tensors, const StringMap& metadata) {
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointFormat(metadata, kFormat));
  SUPERPOSE_RETURN_IF_ERROR(CheckSameInputs(Identity(), metadata));
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t sequence, ReadCount(metadata, "sequences_end"));
  const int64_t done = sequence - config_.first_sequence;
  if (done < 0 || sequence > end_ || (done % config_.batch_size != 0 && sequence != end_)) {
    return InvalidArgument(reason::kFileCorrupt, "the checkpoint ends before sequence ", sequence,
                           ", which is no boundary of batches of ", config_.batch_size, " from ",
                           config_.first_sequence, " to ", end_);
  }
  return CatchTorch([&] {
    SUPERPOSE_RETURN_IF_ERROR(CheckSums(sums_, tensors));
    SUPERPOSE_RETURN_IF_ERROR(RestoreSums(sums_, tensors));
    sequence_ = sequence;
    phase_ = Phase::kStart;
    walk_.Stop();
    encoder_.reset();
    failure_ = absl::OkStatus();
    return absl::OkStatus();
  });
}

}  // namespace superpose
