// Which features of a transcoder a call is about.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/statistics/snapshot_data.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// Whose frequencies: of the transcoder's training where it has them, else of the snapshot (kDefault).
enum class FrequencySource { kDefault, kTraining, kSnapshot };

// low <= log10 frequency < high; open: low < log10 frequency < high. An end that is absent does not bound.
struct FrequencyBand {
  std::optional<double> low = std::nullopt;
  std::optional<double> high = std::nullopt;
  bool open = false;
  FrequencySource by = FrequencySource::kDefault;
};

// A list of ids is no longer than there are features, or than this: it may name some more than once.
inline constexpr int64_t kMostRepeatedIds = 4096;

struct FeatureRange {
  int64_t start = 0;
  int64_t stop = 0;
};

// All features (of a snapshot of some: those, each once, ascending), ids in their order, a range, or a band.
using FeatureSelection = std::variant<std::monostate, std::vector<int64_t>, FeatureRange, FrequencyBand>;

// log10 frequencies, float64 [d_sae] on the CPU. Of training: as its file has them. Of a snapshot: -inf where never
// active, NaN for features that it does not cover. FREQUENCIES_MISSING (kTraining of a transcoder without them;
// kSnapshot, or kDefault of such a transcoder, where snapshot is null), SNAPSHOT_MISMATCH (of another d_sae).
absl::StatusOr<at::Tensor> Log10Frequencies(const Transcoder& transcoder, const SnapshotData* snapshot,
                                            FrequencySource by);

// int64 [k] on the CPU: the ids. `snapshot` may be null. FEATURE_OUT_OF_RANGE, EMPTY_SELECTION (says what the band's
// neighbours hold), CONFIG_INVALID (a band whose low is not under its high, NaN), FREQUENCIES_MISSING,
// SNAPSHOT_MISMATCH. CONFIG_INVALID also for more ids than a list may have. Ids and ranges that a snapshot does not
// cover are left to whoever asks for their rows; a band and "all" hold covered features only. A feature whose log10
// frequency is -inf is in no band with a low.
absl::StatusOr<at::Tensor> SelectFeatures(const FeatureSelection& selection, const Transcoder& transcoder,
                                          const SnapshotData* snapshot);

}  // namespace superpose
