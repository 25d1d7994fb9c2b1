// Checks and defaults that the specs of all jobs share.
#pragma once

#include <google/protobuf/map.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/corpus/corpus.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/corpus.pb.h"

namespace superpose {

// So large that nobody needs more, so small that no product of them overflows.
inline constexpr int64_t kMostSteps = 1'000'000'000;
inline constexpr int64_t kMostTokens = 1'000'000'000'000'000;
inline constexpr int64_t kMostSequences = 65536;

// CONFIG_INVALID unless it is 1 .. most.
absl::Status CheckCount(absl::string_view field, int64_t value, int64_t most);

// Words that a caller gives what is stored. Every list shows them: they must not make one longer than a message.
// CONFIG_INVALID for more than kMostLabels, or more than kMostLabelBytes of keys and values together.
inline constexpr int64_t kMostLabels = 64;
inline constexpr int64_t kMostLabelBytes = int64_t{8} << 10;
absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels);

// CONFIG_INVALID under 2; CONTEXT_EXCEEDED beyond what the model takes.
absl::Status CheckContextLength(const LoadedModel& model, int64_t context_length);

// The context length to use when the caller left it out.
int64_t StandardContextLength(const LoadedModel& model, const Corpus& corpus);

CorpusSplit SplitOf(v1::CorpusSplit split);

}  // namespace superpose
