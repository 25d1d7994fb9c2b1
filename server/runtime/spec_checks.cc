#include "server/runtime/spec_checks.h"

#include <algorithm>

#include "lib/base/error.h"

namespace superpose {

absl::Status CheckCount(absl::string_view field, int64_t value, int64_t most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, field, " is ", value, ": it must be 1 .. ", most);
}

absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  size_t bytes = 0;
  for (const auto& [key, value] : labels) bytes += key.size() + value.size();
  if (labels.size() <= static_cast<size_t>(kMostLabels) && bytes <= static_cast<size_t>(kMostLabelBytes)) {
    return absl::OkStatus();
  }
  return InvalidArgument(reason::kConfigInvalid, "labels are ", labels.size(), " with ", bytes, " bytes: at most ",
                         kMostLabels, " with ", kMostLabelBytes, " bytes are kept");
}

absl::Status CheckContextLength(const LoadedModel& model, int64_t context_length) {
  const int64_t longest = model.model->config().n_positions;
  if (context_length >= 2 && context_length <= longest) return absl::OkStatus();
  return InvalidArgument(context_length < 2 ? reason::kConfigInvalid : reason::kContextExceeded, "context_length is ",
                         context_length, ": it must be 2 .. ", longest, " for ", model.name);
}

int64_t StandardContextLength(const LoadedModel& model, const Corpus& corpus) {
  constexpr int64_t kDefaultContextLength = 128;
  if (corpus.is_array()) return corpus.row_length();
  return std::min(kDefaultContextLength, model.model->config().n_positions);
}

CorpusSplit SplitOf(v1::CorpusSplit split) {
  switch (split) {
    case v1::CORPUS_SPLIT_TRAIN:
      return CorpusSplit::kTrain;
    case v1::CORPUS_SPLIT_HELDOUT:
      return CorpusSplit::kHeldout;
    default:
      return CorpusSplit::kAll;
  }
}

}  // namespace superpose
