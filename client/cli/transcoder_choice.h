// The options with which a verb chooses transcoders.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/client.h"

namespace superpose::cli {

struct TranscoderChoice {
  std::vector<int> layers;
  std::vector<std::string> transcoders;
  std::string model = "-";
};

// --layer, --transcoder, --model.
void AddTranscoderOptions(CLI::App* verb, TranscoderChoice* choice);

// The names that were chosen. Without a choice: the model's only transcoder; FAILED_PRECONDITION / SELECTOR_AMBIGUOUS,
// with the layers to choose from, when there are several, NOT_FOUND / TRANSCODER_NOT_FOUND when there is none.
absl::StatusOr<std::vector<std::string>> ResolveTranscoders(const Client& client, const TranscoderChoice& choice);

}  // namespace superpose::cli
