#include "lib/transcoder/saelens.h"

#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/file_type.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/json_file.h"
#include "lib/transcoder/saelens_config.h"
#include "lib/transcoder/tensor_checks.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr char kConfigFile[] = "cfg.json";
constexpr char kWeightsFile[] = "sae_weights.safetensors";
constexpr char kScalerFile[] = "activation_scaler.json";

absl::Status CheckTensors(const SaeLensConfig& config, const TensorMap& tensors) {
  std::vector<std::string> known = {"W_enc", "b_enc", "W_dec", "b_dec"};
  if (config.has_skip) known.emplace_back("W_skip");
  if (config.activation == TranscoderActivation::kJumpRelu) known.emplace_back("threshold");
  SUPERPOSE_RETURN_IF_ERROR(CheckNoOthers(tensors, known));
  for (const std::string& name : known) {
    std::vector<int64_t> shape = {config.d_sae};  // b_enc, threshold
    if (name == "W_enc") shape = {config.d_in, config.d_sae};
    if (name == "W_dec") shape = {config.d_sae, config.d_in};
    if (name == "b_dec") shape = {config.d_in};
    if (name == "W_skip") shape = {config.d_in, config.d_in};
    SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, name, shape));
  }
  return absl::OkStatus();
}

absl::StatusOr<double> ReadScale(const std::string& folder) {
  const std::string path = (fs::path(folder) / kScalerFile).string();
  auto json = ReadJsonObject(path);
  if (!json.ok()) {
    return FailedPrecondition(reason::kTranscoderUnsupported, "normalize_activations is expected_average_only_in, but ",
                              "its scale cannot be read: ", json.status().message());
  }
  const auto found = json->find("scaling_factor");
  const double scale = found != json->end() && found->is_number() ? found->get<double>() : 0;
  if (std::isfinite(scale) && scale > 0) return scale;
  return FailedPrecondition(reason::kTranscoderUnsupported, "normalize_activations is expected_average_only_in, but ",
                            path, " has no scaling_factor above 0");
}

}  // namespace

absl::StatusOr<bool> IsSaeLensFolder(const std::string& folder) {
  for (const char* file : {kConfigFile, kWeightsFile}) {
    SUPERPOSE_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf((fs::path(folder) / file).string()));
    if (type != fs::file_type::regular) return false;
  }
  return true;
}

absl::StatusOr<TranscoderFile> ReadSaeLens(const std::string& folder) {
  SUPERPOSE_ASSIGN_OR_RETURN(const SaeLensConfig config, ReadSaeLensConfig((fs::path(folder) / kConfigFile).string()));
  const std::string weights_path = (fs::path(folder) / kWeightsFile).string();
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile weights, SafetensorsFile::Open(weights_path));
  const absl::Status checked = CheckTensors(config, weights.tensors());
  if (!checked.ok()) return WithContext(checked, weights_path);
  TranscoderFile file;
  file.format = "saelens";
  file.layer = config.layer;
  file.convention.input = config.input.value_or(TranscoderInput::kAfterGain);
  file.convention.input_known_from = config.input ? InputKnownFrom::kFile : InputKnownFrom::kDefault;
  file.convention.has_skip = config.has_skip;
  file.convention.activation = config.activation;
  file.convention.centred_target = config.centred_target;
  file.tensors = weights.tensors();
  file.tensors["b_dec_out"] = file.tensors.at("b_dec");
  file.tensors.erase("b_dec");
  if (config.has_skip) file.tensors["W_skip"] = file.tensors.at("W_skip").t();
  if (config.scales_input) {
    SUPERPOSE_ASSIGN_OR_RETURN(file.convention.activation_scale, ReadScale(folder));
  }
  return file;
}

}  // namespace superpose
