#include "client/cli/json_output.h"

#include <google/protobuf/util/json_util.h>

#include "client/cpp/errors.h"

namespace superpose::cli {
namespace {

constexpr auto kReplaceBadUtf8 = nlohmann::ordered_json::error_handler_t::replace;

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // It fails only for an Any of a type that is not linked in, and then leaves that out.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

std::string ErrorToJson(const absl::Status& status) {
  nlohmann::ordered_json error;
  error["code"] = absl::StatusCodeToString(status.code());
  error["reason"] = client::ReasonOf(status);
  error["message"] = std::string(status.message());
  return nlohmann::ordered_json{{"error", error}}.dump(2, ' ', false, kReplaceBadUtf8) + "\n";
}

std::string ActivationsToJson(const client::Activations& activations) {
  nlohmann::ordered_json json;
  json["token_ids"] = activations.token_ids;
  json["lengths"] = activations.lengths;
  json["token_texts"] = activations.token_texts;
  json["layers"] = nlohmann::ordered_json::array();
  for (const client::LayerActivations& layer : activations.layers) {
    json["layers"].push_back({{"transcoder", layer.transcoder},
                              {"layer", layer.layer},
                              {"convention", layer.convention},
                              {"model_hash", layer.model_hash},
                              {"transcoder_hash", layer.transcoder_hash},
                              {"d_sae", layer.activations.d_sae},
                              {"row_splits", layer.activations.row_splits},
                              {"feature_ids", layer.activations.feature_ids},
                              {"values", layer.activations.values}});
  }
  return json.dump(-1, ' ', false, kReplaceBadUtf8) + "\n";
}

}  // namespace superpose::cli
