// Checks and defaults that the specs of all jobs share.
#pragma once

#include <cstdint>

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

// CONFIG_INVALID under 2; CONTEXT_EXCEEDED beyond what the model takes.
absl::Status CheckContextLength(const LoadedModel& model, int64_t context_length);

// The context length to use when the caller left it out.
int64_t StandardContextLength(const LoadedModel& model, const Corpus& corpus);

CorpusSplit SplitOf(v1::CorpusSplit split);

}  // namespace superpose
