#include "lib/transcoder/saelens.h"

#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
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

// Input and target were multiplied by the scale in training; the skip then needs no change.
void FoldScale(double scale, TranscoderFile& file) {
  const auto multiply = [&](const char* name, double factor) {
    at::Tensor& tensor = file.tensors.at(name);
    tensor = tensor.to(at::kDouble).mul(factor).to(at::kFloat);
  };
  multiply("W_enc", scale);
  multiply("W_dec", 1 / scale);
  multiply("b_dec_out", 1 / scale);
  file.convention.folded.push_back(absl::StrCat("the activations' scale ", scale, " into W_enc, W_dec and b_dec_out"));
}

}  // namespace

bool IsSaeLensFolder(const std::string& folder) {
  return fs::is_regular_file(fs::path(folder) / kConfigFile) && fs::is_regular_file(fs::path(folder) / kWeightsFile);
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
    SUPERPOSE_ASSIGN_OR_RETURN(const double scale, ReadScale(folder));
    FoldScale(scale, file);
  }
  return file;
}

}  // namespace superpose
