#include "lib/prompt/mlp_at_prompt.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

using TensorsByKind = std::map<MlpTensorKind, at::Tensor>;

bool Has(const std::vector<MlpTensorKind>& which, MlpTensorKind kind) {
  return std::find(which.begin(), which.end(), kind) != which.end();
}

absl::Status CheckMidcoder(const MlpQuery& query) {
  if (query.midcoder == nullptr) {
    if (!NeedsMidcoder(query.which)) return absl::OkStatus();
    return InvalidArgument(reason::kConfigInvalid, "mid and out_midcoder are a midcoder's: give one");
  }
  if (query.midcoder->layer() != query.layer) {
    return InvalidArgument(reason::kConfigInvalid, "the midcoder is of layer ", query.midcoder->layer(),
                           ", not of layer ", query.layer);
  }
  const int64_t features = query.midcoder->parameters().W_mid.size(0);
  if (query.transcoder == nullptr || query.transcoder->d_sae() == features) return absl::OkStatus();
  return InvalidArgument(reason::kTranscoderMismatch, "the transcoder has ", query.transcoder->d_sae(),
                         " features, the midcoder ", features);
}

absl::Status CheckQuery(const Model& model, const MlpQuery& query) {
  SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(query.layer));
  if (query.which.empty()) return InvalidArgument(reason::kEmptyInput, "which is empty: name one tensor or more");
  if (query.transcoder == nullptr && NeedsTranscoder(query.which, query.midcoder != nullptr)) {
    return InvalidArgument(reason::kConfigInvalid, "a transcoder's activations are needed: give a transcoder");
  }
  return CheckMidcoder(query);
}

absl::Status AddTranscoded(const Model& model, const MlpQuery& query, TensorsByKind* tensors) {
  const at::Tensor& x_hat = tensors->at(MlpTensorKind::kXHat);
  SUPERPOSE_ASSIGN_OR_RETURN(const SparseActivations z, query.transcoder->Encode(x_hat));
  if (Has(query.which, MlpTensorKind::kOutTranscoder)) {
    SUPERPOSE_ASSIGN_OR_RETURN((*tensors)[MlpTensorKind::kOutTranscoder], query.transcoder->Decode(z, x_hat));
  }
  if (query.midcoder == nullptr) return absl::OkStatus();
  const at::Tensor mid = query.midcoder->Mid(model, z);
  (*tensors)[MlpTensorKind::kMid] = mid;
  (*tensors)[MlpTensorKind::kGate] = mid.gt(0).to(at::kFloat);
  if (Has(query.which, MlpTensorKind::kOutMidcoder)) {
    (*tensors)[MlpTensorKind::kOutMidcoder] = query.midcoder->Output(model, query.midcoder->Hidden(model, mid));
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorsByKind> ComputeBatch(const Model& model, const MlpQuery& query, const PaddedBatch& batch) {
  at::Tensor resid = model.Embed(batch.tokens);
  for (int64_t layer = 0; layer < query.layer; ++layer) resid = model.Block(layer, resid);
  const at::Tensor x_hat = model.Normalize(model.Attention(query.layer, resid));
  TensorsByKind tensors;
  tensors[MlpTensorKind::kXHat] = x_hat.flatten(0, 1).index_select(0, batch.real_rows);
  const at::Tensor pre = model.MlpPreActivation(query.layer, tensors[MlpTensorKind::kXHat]);
  tensors[MlpTensorKind::kPre] = pre;
  if (query.midcoder == nullptr) tensors[MlpTensorKind::kGate] = pre.gt(0).to(at::kFloat);
  if (Has(query.which, MlpTensorKind::kOut)) tensors[MlpTensorKind::kOut] = model.MlpOutput(query.layer, pre);
  if (NeedsTranscoder(query.which, query.midcoder != nullptr)) {
    SUPERPOSE_RETURN_IF_ERROR(AddTranscoded(model, query, &tensors));
  }
  return tensors;
}

}  // namespace

bool NeedsMidcoder(const std::vector<MlpTensorKind>& which) {
  return Has(which, MlpTensorKind::kMid) || Has(which, MlpTensorKind::kOutMidcoder);
}

bool NeedsTranscoder(const std::vector<MlpTensorKind>& which, bool has_midcoder) {
  return NeedsMidcoder(which) || Has(which, MlpTensorKind::kOutTranscoder) ||
         (has_midcoder && Has(which, MlpTensorKind::kGate));
}

int64_t WidthOf(MlpTensorKind kind, const ModelConfig& config) {
  const bool hidden = kind == MlpTensorKind::kPre || kind == MlpTensorKind::kGate || kind == MlpTensorKind::kMid;
  return hidden ? config.d_mlp : config.d_model;
}

absl::StatusOr<std::vector<at::Tensor>> ComputeMlpTensors(const Model& model, const MlpQuery& query,
                                                          const std::vector<TokenSequence>& sequences) {
  SUPERPOSE_RETURN_IF_ERROR(CheckQuery(model, query));
  SUPERPOSE_RETURN_IF_ERROR(CheckSequences(model, sequences));
  return CatchTorch([&]() -> absl::StatusOr<std::vector<at::Tensor>> {
    std::vector<std::vector<at::Tensor>> parts(query.which.size());
    for (const PaddedBatch& batch : PadSequences(sequences, model.device())) {
      SUPERPOSE_ASSIGN_OR_RETURN(const TensorsByKind tensors, ComputeBatch(model, query, batch));
      for (size_t i = 0; i < parts.size(); ++i) parts[i].push_back(tensors.at(query.which[i]));
    }
    std::vector<at::Tensor> joined;
    for (const std::vector<at::Tensor>& part : parts) joined.push_back(part.size() == 1 ? part[0] : at::cat(part));
    return joined;
  });
}

}  // namespace superpose
