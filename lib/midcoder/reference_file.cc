#include "lib/midcoder/reference_file.h"

#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/all_finite.h"
#include "lib/tensor_io/pytorch_file.h"
#include "lib/tensor_io/pytorch_writer.h"

namespace superpose {
namespace {

// Sizes that shapes are made of.
enum Size { kOne, kFeatures, kDMlp, kDModel };

struct StatisticForm {
  const char* name;
  std::vector<Size> shape;
};

const std::vector<StatisticForm>& StatisticForms() {
  static const auto* forms = new std::vector<StatisticForm>{{"feat_ids", {kFeatures}},
                                                            {"counts", {kOne}},
                                                            {"act_counts", {kFeatures}},
                                                            {"act_sum", {kFeatures}},
                                                            {"act_sq_sum", {kFeatures}},
                                                            {"act_cov_counts", {kFeatures, kFeatures}},
                                                            {"act_cov_sum", {kFeatures, kFeatures}},
                                                            {"act_gate_sum", {kFeatures, kDMlp}},
                                                            {"act_sq_gate_sum", {kFeatures, kDMlp}},
                                                            {"gate_act_counts", {kFeatures, kDMlp}},
                                                            {"gate_counts", {kDMlp}},
                                                            {"mid_sum", {kDMlp}},
                                                            {"gate_mid_sum", {kDMlp}},
                                                            {"pre_relu_sum", {kDMlp}},
                                                            {"pre_relu_sum_no_act", {kFeatures, kDMlp}},
                                                            {"pre_relu_cov_sum", {kDMlp, kDMlp}},
                                                            {"pre_relu_cube_sum", {kDMlp}},
                                                            {"mlp_out_sum", {kDModel}},
                                                            {"mlp_out_sum_no_act", {kFeatures, kDModel}},
                                                            {"mlp_out_cov_sum", {kDModel, kDModel}}};
  return *forms;
}

// Keys of our own in the file.
constexpr char kOurs[] = "superpose";
constexpr char kIncludesBos[] = "includes_bos";
constexpr char kMovingParameters[] = "moving_parameters";

constexpr std::array<const char*, 3> kParameters = {"W_mid", "b_mid", "b_mid_out"};

absl::Status CheckShape(const std::string& name, const at::Tensor& tensor, const std::vector<int64_t>& wanted) {
  if (tensor.sizes() == at::IntArrayRef(wanted)) return absl::OkStatus();
  return InvalidArgument(reason::kTensorShapeMismatch, name, " has shape [", absl::StrJoin(tensor.sizes(), ", "),
                         "], but the transcoder and the model ask for [", absl::StrJoin(wanted, ", "), "]");
}

absl::Status CheckFinite(const std::string& name, const at::Tensor& tensor) {
  if (AllFinite(tensor)) return absl::OkStatus();
  return InvalidArgument(reason::kTensorNotFinite, name, " holds NaN or infinity");
}

// A field of the pickled config object, or of a plain dict, which our own files hold.
const PickleValue* FindField(const PickleValue* config, absl::string_view field) {
  if (config == nullptr) return nullptr;
  if (const auto* record = std::get_if<const PickleRecord*>(config)) return (*record)->Find(field);
  if (const auto* dict = std::get_if<const PickleDict*>(config)) return (*dict)->Find(field);
  return nullptr;
}

std::optional<double> NumberIn(const PickleValue* config, absl::string_view field) {
  const PickleValue* value = FindField(config, field);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* number = std::get_if<int64_t>(value)) return static_cast<double>(*number);
  return std::nullopt;
}

std::optional<int64_t> IntegerIn(const PickleValue* config, absl::string_view field) {
  const PickleValue* value = FindField(config, field);
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number == nullptr ? std::nullopt : std::optional<int64_t>(*number);
}

bool BoolIn(const PickleValue* dict, absl::string_view field, bool otherwise) {
  const PickleValue* value = FindField(dict, field);
  const auto* flag = value == nullptr ? nullptr : std::get_if<bool>(value);
  return flag == nullptr ? otherwise : *flag;
}

ReferenceCounting CountingIn(const PickleValue* ours) {
  const ReferenceCounting reference;
  return {.includes_bos = BoolIn(ours, kIncludesBos, reference.includes_bos),
          .moving_parameters = BoolIn(ours, kMovingParameters, reference.moving_parameters)};
}

ReferenceConfig ConfigIn(const PickleValue* config) {
  return {.context_length = IntegerIn(config, "context_length"),
          .batch_size = IntegerIn(config, "batch_size"),
          .steps_per_epoch = IntegerIn(config, "steps_per_epoch"),
          .train_tokens = IntegerIn(config, "train_tokens"),
          .seed = IntegerIn(config, "seed"),
          .lr = NumberIn(config, "lr"),
          .weight_decay = NumberIn(config, "weight_decay"),
          .mse_out_param = NumberIn(config, "mse_out_param")};
}

// The width of W_mid tells, but for a model in which both are equal: there the config does.
MidForm FormOf(const TensorMap& tensors, const PickleValue* config, const MidcoderWidths& widths) {
  const PickleValue* mid_dim = FindField(config, "mid_dim");
  const auto* text = mid_dim == nullptr ? nullptr : std::get_if<std::string>(mid_dim);
  if (widths.d_mlp == widths.d_model) return text == nullptr || *text == "d_model" ? MidForm::kDModel : MidForm::kDMlp;
  const auto weights = tensors.find("W_mid");
  const bool is_d_model =
      weights != tensors.end() && weights->second.dim() == 2 && weights->second.size(1) == widths.d_model;
  return is_d_model ? MidForm::kDModel : MidForm::kDMlp;
}

absl::Status TakeParameters(const TensorMap& tensors, const MidcoderWidths& widths, ReferenceMidcoder* midcoder) {
  const int64_t mid_width = midcoder->form == MidForm::kDModel ? widths.d_model : widths.d_mlp;
  const std::array<std::vector<int64_t>, 3> shapes = {
      std::vector<int64_t>{widths.d_sae, mid_width}, {mid_width}, {widths.d_model}};
  for (size_t i = 0; i < kParameters.size(); ++i) {
    const std::string name = kParameters[i];
    const auto found = tensors.find(name);
    if (found == tensors.end()) return NotFound(reason::kTensorMissing, "its weights lack ", name);
    SUPERPOSE_RETURN_IF_ERROR(CheckShape(name, found->second, shapes[i]));
    if (!at::isFloatingType(found->second.scalar_type())) {
      return InvalidArgument(reason::kFileUnsupported, name, " does not hold floating-point numbers");
    }
    SUPERPOSE_RETURN_IF_ERROR(CheckFinite(name, found->second));
    midcoder->parameters[name] = found->second.to(at::kFloat).contiguous();
  }
  return absl::OkStatus();
}

absl::Status CheckFeatureIds(const at::Tensor& ids, int64_t d_sae) {
  if (!at::isIntegralType(ids.scalar_type(), /*includeBool=*/false)) {
    return InvalidArgument(reason::kFileUnsupported, "feat_ids does not hold integers");
  }
  if (ids.numel() == 0 || (ids.min().item<int64_t>() >= 0 && ids.max().item<int64_t>() < d_sae))
    return absl::OkStatus();
  return InvalidArgument(reason::kFeatureOutOfRange, "feat_ids must be in 0 .. ", d_sae - 1,
                         ": is it a midcoder of another transcoder?");
}

absl::Status TakeStatistics(const TensorMap& tensors, const MidcoderWidths& widths, ReferenceMidcoder* midcoder) {
  const auto ids = tensors.find("feat_ids");
  const int64_t features = ids == tensors.end() ? widths.d_sae : ids->second.numel();
  const std::array<int64_t, 4> sizes = {1, features, widths.d_mlp, widths.d_model};
  for (const StatisticForm& form : StatisticForms()) {
    const auto found = tensors.find(form.name);
    if (found == tensors.end()) continue;
    std::vector<int64_t> shape;
    for (const Size size : form.shape) shape.push_back(sizes[size]);
    SUPERPOSE_RETURN_IF_ERROR(CheckShape(form.name, found->second, shape));
    SUPERPOSE_RETURN_IF_ERROR(CheckFinite(form.name, found->second));
    midcoder->statistics[form.name] = found->second.contiguous();
  }
  if (ids == tensors.end()) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(CheckFeatureIds(ids->second, widths.d_sae));
  midcoder->statistics["feat_ids"] = ids->second.to(at::kLong).contiguous();
  return absl::OkStatus();
}

absl::Status CheckNothingElse(const TensorMap& tensors, const ReferenceMidcoder& midcoder) {
  for (const auto& [name, tensor] : tensors) {
    if (midcoder.parameters.count(name) == 0 && midcoder.statistics.count(name) == 0) {
      return InvalidArgument(reason::kFileUnsupported, "its weights hold ", name,
                             ", which is neither a midcoder's parameter nor one of its statistics");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ReferenceMidcoder> Read(const std::string& path, const MidcoderWidths& widths) {
  SUPERPOSE_ASSIGN_OR_RETURN(const PickleDocument document, ReadPytorchFile(path));
  const auto* root = std::get_if<const PickleDict*>(&document.root());
  const PickleValue* weights = root == nullptr ? nullptr : (*root)->Find("weights");
  if (weights == nullptr) {
    return InvalidArgument(reason::kFileUnsupported,
                           "it is no {\"weights\": .., \"config\": ..} as a midcoder is saved");
  }
  const PickleValue* config = (*root)->Find("config");
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap tensors, TensorsOf(*weights));
  ReferenceMidcoder midcoder;
  midcoder.form = FormOf(tensors, config, widths);
  midcoder.config = ConfigIn(config);
  midcoder.counting = CountingIn((*root)->Find(kOurs));
  SUPERPOSE_RETURN_IF_ERROR(TakeParameters(tensors, widths, &midcoder));
  SUPERPOSE_RETURN_IF_ERROR(TakeStatistics(tensors, widths, &midcoder));
  SUPERPOSE_RETURN_IF_ERROR(CheckNothingElse(tensors, midcoder));
  return midcoder;
}

template <typename Value>
void AddField(const char* name, const std::optional<Value>& value, PlainDict* dict) {
  if (value.has_value()) dict->emplace_back(name, *value);
}

PlainDict PlainConfig(const ReferenceMidcoder& midcoder) {
  PlainDict dict = {{"mid_dim", std::string(midcoder.form == MidForm::kDModel ? "d_model" : "d_mlp")}};
  AddField("context_length", midcoder.config.context_length, &dict);
  AddField("batch_size", midcoder.config.batch_size, &dict);
  AddField("steps_per_epoch", midcoder.config.steps_per_epoch, &dict);
  AddField("train_tokens", midcoder.config.train_tokens, &dict);
  AddField("seed", midcoder.config.seed, &dict);
  AddField("lr", midcoder.config.lr, &dict);
  AddField("weight_decay", midcoder.config.weight_decay, &dict);
  AddField("mse_out_param", midcoder.config.mse_out_param, &dict);
  return dict;
}

}  // namespace

absl::StatusOr<ReferenceMidcoder> ReadReferenceMidcoder(const std::string& path, const MidcoderWidths& widths) {
  auto midcoder = CatchTorch([&] { return Read(path, widths); });
  if (!midcoder.ok()) return WithContext(midcoder.status(), path);
  return midcoder;
}

absl::Status WriteReferenceMidcoder(const std::string& path, const ReferenceMidcoder& midcoder) {
  NamedTensors weights;
  for (const char* name : kParameters) weights.emplace_back(name, midcoder.parameters.at(name));
  for (const StatisticForm& form : StatisticForms()) {
    const auto found = midcoder.statistics.find(form.name);
    if (found != midcoder.statistics.end()) weights.emplace_back(form.name, found->second);
  }
  CheckpointDict content = {{"weights", std::move(weights)}, {"config", PlainConfig(midcoder)}};
  if (!midcoder.statistics.empty()) {
    content.emplace_back(kOurs, PlainDict{{kIncludesBos, midcoder.counting.includes_bos},
                                          {kMovingParameters, midcoder.counting.moving_parameters}});
  }
  return WritePytorchFile(path, content);
}

}  // namespace superpose
