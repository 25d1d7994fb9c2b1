#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/transcoder/self_test.h"
#include "lib/transcoder/transcoder.h"
#include "server/runtime/load_model.h"

namespace superpose {

struct TestedTranscoder {
  std::shared_ptr<const Transcoder> transcoder;
  std::optional<SelfTest> self_test;  // nothing where the policy turns it off
  std::string tokens;                 // SelfTestTokens::source
};

// Reads a transcoder's file, folds it for its layer of the model and tests it. Where the file leaves its input open,
// the entry decides, or else the test. What the test complains of is logged or, by the context's policy, refused:
// CONVENTION_MISMATCH. Errors: those of ReadTranscoderFile; TRANSCODER_MISMATCH where it is for another width or layer.
absl::StatusOr<TestedTranscoder> LoadTestedTranscoder(const LoadedModel& model, const std::string& name,
                                                      const v1::TranscoderEntry& entry, const LoadContext& context);

}  // namespace superpose
