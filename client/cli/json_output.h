// Machine-readable output.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "client/cpp/activations.h"

namespace superpose::cli {

// A message in the JSON mapping of protocol buffers, with the contract's field names: 64-bit integers are strings.
// Indented.
std::string ToJson(const google::protobuf::Message& message);

// {"error": {"code": "NOT_FOUND", "reason": "MODEL_NOT_FOUND", "message": ".."}}
std::string ErrorToJson(const absl::Status& status);

// Arrays as JSON arrays: token_ids, lengths, token_texts, layers: [{transcoder, layer, d_sae, row_splits, feature_ids,
// values}].
std::string ActivationsToJson(const client::Activations& activations);

}  // namespace superpose::cli
