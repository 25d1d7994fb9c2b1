#include "server/services/mlp_tensors_work.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/reasons.h"
#include "server/runtime/reserved_tensor.h"

namespace superpose {
namespace {

// By the number of the enum's value, from 1.
constexpr std::array<MlpTensorKind, 7> kKinds = {
    MlpTensorKind::kXHat, MlpTensorKind::kPre,           MlpTensorKind::kGate,       MlpTensorKind::kMid,
    MlpTensorKind::kOut,  MlpTensorKind::kOutTranscoder, MlpTensorKind::kOutMidcoder};
static_assert(v1::MlpTensor_MAX == v1::MLP_TENSOR_OUT_MIDCODER && v1::MLP_TENSOR_OUT_MIDCODER == kKinds.size());

constexpr char kKeepingThem[] = "keeping these tensors until they are read";
constexpr char kAdvice[] = "ask for fewer tensors or fewer sequences at a time";

}  // namespace

absl::StatusOr<MlpTensorsWork> MlpTensorsWork::Prepare(const ModelRegistry& registry, const Parts& parts,
                                                       const v1::GetMlpTensorsRequest& request, const Limits& limits) {
  SUPERPOSE_ASSIGN_OR_RETURN(PromptInput input, ReadPrompt(registry, request.prompt(), limits));
  MlpTensorsWork work(std::move(input), parts);
  SUPERPOSE_RETURN_IF_ERROR(work.TakeWhich(request));
  SUPERPOSE_RETURN_IF_ERROR(work.TakeMidcoder(request));
  SUPERPOSE_RETURN_IF_ERROR(work.TakeTranscoder(registry, request));
  SUPERPOSE_RETURN_IF_ERROR(work.CheckSize(limits));
  SUPERPOSE_RETURN_IF_ERROR(
      parts.budget->CheckCanEverFit(MemoryUse::kRequest, work.BytesOfAll(), kKeepingThem, kAdvice));
  return work;
}

absl::Status MlpTensorsWork::TakeWhich(const v1::GetMlpTensorsRequest& request) {
  SUPERPOSE_RETURN_IF_ERROR(model_->model->CheckLayer(request.layer()));
  query_.layer = request.layer();
  for (const int which : request.which()) {
    if (which == v1::MLP_TENSOR_UNSPECIFIED || !v1::MlpTensor_IsValid(which))
      return InvalidArgument(reason::kConfigInvalid, "which has a value, ", which, ", that is no tensor");
    const auto tensor = static_cast<v1::MlpTensor>(which);
    if (std::find(which_.begin(), which_.end(), tensor) != which_.end()) continue;
    which_.push_back(tensor);
    query_.which.push_back(kKinds[which - 1]);
  }
  if (which_.empty()) return InvalidArgument(reason::kEmptyInput, "which is empty: name one tensor or more");
  return absl::OkStatus();
}

absl::Status MlpTensorsWork::TakeMidcoder(const v1::GetMlpTensorsRequest& request) {
  if (request.midcoder().empty()) {
    if (!NeedsMidcoder(query_.which)) return absl::OkStatus();
    return InvalidArgument(reason::kConfigInvalid, "mid and out_midcoder are a midcoder's: set midcoder");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(open_midcoder_, midcoders_->Open(request.midcoder()));
  const v1::Midcoder& facts = open_midcoder_->facts;
  if (facts.provenance().model() != model_->name) {
    return InvalidArgument(reason::kConfigInvalid, facts.name(), " is of ", facts.provenance().model(),
                           ", but the prompt is for ", model_->name);
  }
  if (facts.layer() == query_.layer) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, facts.name(), " is of layer ", facts.layer(), ", not of layer ",
                         query_.layer);
}

absl::Status MlpTensorsWork::TakeTranscoder(const ModelRegistry& registry, const v1::GetMlpTensorsRequest& request) {
  std::string name = request.transcoder();
  const bool needed = NeedsTranscoder(query_.which, open_midcoder_.has_value());
  if (name.empty() && !needed) return absl::OkStatus();
  if (name.empty() && open_midcoder_.has_value()) name = open_midcoder_->facts.provenance().transcoder();
  if (name.empty()) name = absl::StrCat(model_->name, "/layers/", query_.layer);
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderHandle transcoder, FindTranscoderOf(registry, *model_, name));
  if (transcoder->layer != query_.layer) {
    return InvalidArgument(reason::kConfigInvalid, transcoder->name, " is of layer ", transcoder->layer,
                           ", not of layer ", query_.layer);
  }
  if (!needed) return absl::OkStatus();
  transcoder_ = std::move(transcoder);
  query_.transcoder = transcoder_->transcoder.get();
  return open_midcoder_.has_value() ? CheckMidcoder(transcoder_->name) : absl::OkStatus();
}

// That it was trained for the transcoder that is to feed it, and for the weights that are loaded.
absl::Status MlpTensorsWork::CheckMidcoder(const std::string& transcoder) const {
  const v1::Provenance& trained = open_midcoder_->facts.provenance();
  if (trained.transcoder() != transcoder) {
    return InvalidArgument(reason::kTranscoderMismatch, open_midcoder_->facts.name(), " was trained for ",
                           trained.transcoder(), ", not for ", transcoder);
  }
  const bool same = trained.model_hash() == model_->model->content_hash() &&
                    trained.transcoder_hash() == transcoder_->transcoder->content_hash();
  if (same) return absl::OkStatus();
  return FailedPrecondition(reason::kInputChanged, open_midcoder_->facts.name(), " was trained for other weights of ",
                            model_->name, " or ", transcoder, " than those loaded now");
}

int64_t MlpTensorsWork::BytesOf(MlpTensorKind kind) const {
  return tokens() * WidthOf(kind, model_->model->config()) * static_cast<int64_t>(sizeof(float));
}

int64_t MlpTensorsWork::BytesOfAll() const {
  int64_t bytes = 0;
  for (const MlpTensorKind kind : query_.which) bytes += BytesOf(kind);
  return bytes;
}

absl::Status MlpTensorsWork::CheckSize(const Limits& limits) const {
  const int64_t bytes = BytesOfAll();
  if (bytes <= limits.max_held_bytes) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the tensors have ", bytes, " bytes together, over ",
                           limits.max_held_bytes, ": ", kAdvice);
}

absl::Status MlpTensorsWork::LoadMidcoder() {
  if (!open_midcoder_.has_value() || !NeedsTranscoder(query_.which, /*has_midcoder=*/true)) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(midcoder_, midcoders_->Load(*open_midcoder_, *model_->model, query_.transcoder->d_sae()));
  query_.midcoder = midcoder_.get();
  return absl::OkStatus();
}

absl::Status MlpTensorsWork::MakeRoom() {
  SUPERPOSE_ASSIGN_OR_RETURN(MemoryReservation memory,
                             budget_->Reserve(MemoryUse::kRequest, BytesOfAll(), kKeepingThem, kAdvice));
  for (const MlpTensorKind kind : query_.which) {
    at::Tensor tensor = at::empty({tokens(), WidthOf(kind, model_->model->config())}, at::kFloat);
    tensors_.push_back(WithReservation(std::move(tensor), memory.Split(BytesOf(kind))));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> MlpTensorsWork::RunPart() {
  return CatchTorch([&]() -> absl::StatusOr<bool> {
    if (tensors_.empty()) {
      SUPERPOSE_RETURN_IF_ERROR(LoadMidcoder());
      SUPERPOSE_RETURN_IF_ERROR(MakeRoom());
    }
    SUPERPOSE_ASSIGN_OR_RETURN(const auto computed, ComputeMlpTensors(*model_->model, query_, parts_.Take()));
    const int64_t rows = computed.front().size(0);
    for (size_t i = 0; i < computed.size(); ++i) tensors_[i].narrow(0, rows_done_, rows).copy_(computed[i]);
    rows_done_ += rows;
    return parts_.done();
  });
}

absl::StatusOr<v1::GetMlpTensorsResponse> MlpTensorsWork::Description() const {
  v1::GetMlpTensorsResponse response;
  *response.mutable_tokens() = BatchOf(parts_.all());
  for (const TokenSequence& sequence : parts_.all()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> texts, TokenTexts(*model_, sequence));
    response.mutable_token_texts()->Add(texts.begin(), texts.end());
  }
  *response.mutable_provenance() =
      transcoder_ == nullptr ? DescribeProvenance(*model_) : DescribeProvenance(*model_, *transcoder_, nullptr);
  return response;
}

}  // namespace superpose
