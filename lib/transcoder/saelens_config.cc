#include "lib/transcoder/saelens_config.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/json_file.h"

namespace superpose {
namespace {

using Json = nlohmann::json;

template <typename... Parts>
absl::Status Unsupported(const Parts&... parts) {
  return FailedPrecondition(reason::kTranscoderUnsupported, parts...);
}

// The field, or null where it is missing.
const Json& Field(const Json& json, const std::string& name) {
  static const Json missing;
  const auto found = json.find(name);
  return found == json.end() ? missing : *found;
}

// Whether a value asks for nothing: null, false, 0, "", "none", {} or [].
bool IsNothing(const Json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return text.empty() || text == "none" || text == "None";
  }
  return value.is_null() || value == false || value == 0 || ((value.is_object() || value.is_array()) && value.empty());
}

absl::StatusOr<int64_t> Size(const Json& json, const char* name) {
  constexpr int64_t kLargest = 1 << 28;
  const Json& value = Field(json, name);
  const int64_t size = value.is_number_integer() ? value.get<int64_t>() : 0;
  if (size >= 1 && size <= kLargest) return size;
  return InvalidArgument(reason::kFileCorrupt, "field ", name, " must be a whole number above 0");
}

absl::Status ReadArchitecture(const Json& json, SaeLensConfig& config) {
  const Json& field = Field(json, "architecture");
  const std::string architecture = field.is_string() ? field.get<std::string>() : "standard";
  static const std::set<std::string> transcoders = {"transcoder", "skip_transcoder", "jumprelu_transcoder",
                                                    "jumprelu_skip_transcoder"};
  if (transcoders.count(architecture) == 0) {
    return Unsupported("architecture \"", architecture,
                       "\"; transcoders can be loaded: ", absl::StrJoin(transcoders, ", "));
  }
  config.has_skip = architecture == "skip_transcoder" || architecture == "jumprelu_skip_transcoder";
  const bool jumps = architecture == "jumprelu_transcoder" || architecture == "jumprelu_skip_transcoder";
  config.activation = jumps ? TranscoderActivation::kJumpRelu : TranscoderActivation::kRelu;
  return absl::OkStatus();
}

absl::Status CheckWidths(const Json& json, SaeLensConfig& config) {
  SUPERPOSE_ASSIGN_OR_RETURN(config.d_in, Size(json, "d_in"));
  SUPERPOSE_ASSIGN_OR_RETURN(config.d_sae, Size(json, "d_sae"));
  if (Field(json, "d_out").is_null()) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t d_out, Size(json, "d_out"));
  if (d_out == config.d_in) return absl::OkStatus();
  return Unsupported("d_out ", d_out, " is not d_in ", config.d_in,
                     ": it does not stand for an MLP between tensors of d_model");
}

absl::Status ReadNormalization(const Json& json, SaeLensConfig& config) {
  const Json& value = Field(json, "normalize_activations");
  config.scales_input = value == true || value == "expected_average_only_in";
  if (config.scales_input || IsNothing(value)) return absl::OkStatus();
  return Unsupported("normalize_activations is ", value.dump(), "; \"none\" and \"expected_average_only_in\" can be ",
                     "represented");
}

// Fields that change what is computed; they must ask for nothing.
absl::Status CheckAsksForNothing(const Json& json, const Json& metadata) {
  for (const char* name : {"apply_b_dec_to_input", "reshape_activations", "k", "rescale_acts_by_decoder_norm",
                           "activation_fn_kwargs", "finetuning_scaling_factor"}) {
    if (!IsNothing(Field(json, name))) return Unsupported(name, " is ", Field(json, name).dump());
  }
  for (const char* name : {"activation_fn", "activation_fn_str"}) {
    const Json& value = Field(json, name);
    if (!IsNothing(value) && value != "relu") return Unsupported(name, " is ", value.dump(), ", not \"relu\"");
  }
  for (const char* name : {"hook_head_index", "hook_head_index_out", "hook_point_head_index"}) {
    // Head 0 is a head.
    const Json& value = Field(metadata, name);
    if (!value.is_null()) return Unsupported(name, " is ", value.dump(), ": it reads or writes one head");
  }
  return absl::OkStatus();
}

// Fields of version 6 that are not understood might change what is computed.
absl::Status CheckNoOtherFields(const Json& json) {
  static const std::set<std::string> known = {"architecture",
                                              "d_in",
                                              "d_sae",
                                              "d_out",
                                              "dtype",
                                              "device",
                                              "metadata",
                                              "normalize_activations",
                                              "apply_b_dec_to_input",
                                              "reshape_activations",
                                              "k",
                                              "rescale_acts_by_decoder_norm",
                                              "activation_fn",
                                              "activation_fn_str",
                                              "activation_fn_kwargs",
                                              "finetuning_scaling_factor"};
  for (const auto& [name, value] : json.items()) {
    if (known.count(name) == 0 && !IsNothing(value))
      return Unsupported("field ", name, " is ", value.dump(), " and is not understood");
  }
  return absl::OkStatus();
}

// "blocks.8.ln2.hook_normalized" -> {8, "ln2.hook_normalized"}; "transformer.h.8.mlp" -> {8, "h.mlp"}. Layer -1 where
// it is neither.
std::pair<int64_t, std::string> SplitHook(const std::string& hook) {
  std::vector<std::string> parts = absl::StrSplit(hook, '.');
  int64_t layer = -1;
  const auto rest = [&](size_t from) { return absl::StrJoin(parts.begin() + from, parts.end(), "."); };
  if (parts.size() > 2 && parts[0] == "blocks" && absl::SimpleAtoi(parts[1], &layer)) return {layer, rest(2)};
  if (parts.size() > 3 && parts[0] == "transformer" && parts[1] == "h" && absl::SimpleAtoi(parts[2], &layer))
    return {layer, absl::StrCat("h.", rest(3))};
  return {-1, hook};
}

std::string TextOf(const Json& metadata, const char* name, const char* older_name) {
  const Json& value = Field(metadata, name);
  const Json& older = Field(metadata, older_name);
  return value.is_string() ? value.get<std::string>() : older.is_string() ? older.get<std::string>() : "";
}

absl::Status ReadHooks(const Json& metadata, SaeLensConfig& config) {
  const Json& options = Field(metadata, "model_from_pretrained_kwargs");
  const bool folded = options.is_object() && Field(options, "fold_ln") == true;
  config.centred_target = options.is_object() && Field(options, "center_writing_weights") == true;
  if (const std::string name = TextOf(metadata, "hook_name", "hook_point"); !name.empty()) {
    const auto [layer, hook] = SplitHook(name);
    const bool normalized = hook == "ln2.hook_normalized", mlp_input = hook == "mlp.hook_in" || hook == "h.ln_2";
    if (layer < 0 || !(normalized || mlp_input)) {
      return Unsupported("hook_name \"", name, "\" is not the input of an MLP after its layer norm: ",
                         "blocks.{layer}.ln2.hook_normalized or blocks.{layer}.mlp.hook_in");
    }
    config.layer = layer;
    if (mlp_input) config.input = TranscoderInput::kAfterGain;
  }
  // A model whose layer norms are folded has no gain at either place.
  if (folded) config.input = TranscoderInput::kBeforeGain;
  const std::string name = TextOf(metadata, "hook_name_out", "out_hook_point");
  if (name.empty()) return absl::OkStatus();
  const auto [layer, hook] = SplitHook(name);
  const bool mlp_output = hook == "hook_mlp_out" || hook == "mlp.hook_out" || hook == "h.mlp";
  if (layer < 0 || !mlp_output || (config.layer >= 0 && layer != config.layer)) {
    return Unsupported("hook_name_out \"", name, "\" is not the output of the MLP whose input it reads: blocks.",
                       config.layer < 0 ? std::string("{layer}") : absl::StrCat(config.layer), ".hook_mlp_out");
  }
  config.layer = layer;
  return absl::OkStatus();
}

absl::StatusOr<SaeLensConfig> ParseConfig(const Json& json) {
  SaeLensConfig config;
  const Json& nested = Field(json, "metadata");
  const Json& metadata = nested.is_object() ? nested : json;
  SUPERPOSE_RETURN_IF_ERROR(ReadArchitecture(json, config));
  SUPERPOSE_RETURN_IF_ERROR(CheckAsksForNothing(json, metadata));
  if (nested.is_object()) SUPERPOSE_RETURN_IF_ERROR(CheckNoOtherFields(json));
  SUPERPOSE_RETURN_IF_ERROR(ReadNormalization(json, config));
  SUPERPOSE_RETURN_IF_ERROR(CheckWidths(json, config));
  SUPERPOSE_RETURN_IF_ERROR(ReadHooks(metadata, config));
  return config;
}

}  // namespace

absl::StatusOr<SaeLensConfig> ReadSaeLensConfig(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const Json json, ReadJsonObject(path));
  auto config = ParseConfig(json);
  if (!config.ok()) return WithContext(config.status(), path);
  return config;
}

}  // namespace superpose
