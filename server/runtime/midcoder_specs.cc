#include "server/runtime/midcoder_specs.h"

#include <algorithm>
#include <set>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

constexpr int64_t kDefaultContextLength = 128;

CorpusSplit SplitOf(v1::CorpusSplit split) {
  switch (split) {
    case v1::CORPUS_SPLIT_TRAIN:
      return CorpusSplit::kTrain;
    case v1::CORPUS_SPLIT_HELDOUT:
      return CorpusSplit::kHeldout;
    default:
      return CorpusSplit::kAll;
  }
}

v1::CorpusSplit TrainingSplit(const Corpus& corpus) {
  return corpus.documents() > 0 ? v1::CORPUS_SPLIT_TRAIN : v1::CORPUS_SPLIT_ALL;
}

// So large that nobody needs more, so small that no product of them overflows.
constexpr int64_t kMostSteps = 1'000'000'000;
constexpr int64_t kMostTokens = 1'000'000'000'000'000;
constexpr int64_t kMostSequences = 65536;

absl::Status CheckCount(absl::string_view field, int64_t value, int64_t most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, field, " is ", value, ": it must be 1 .. ", most);
}

void FillTrainingDefaults(v1::MidcoderTrainingSpec* spec) {
  if (spec->mid_form() == v1::MID_FORM_UNSPECIFIED) spec->set_mid_form(v1::MID_FORM_D_MLP);
  if (spec->gate() == v1::MID_GATE_UNSPECIFIED) spec->set_gate(v1::MID_GATE_RELU);
  if (spec->order() == v1::SEQUENCE_ORDER_UNSPECIFIED) spec->set_order(v1::SEQUENCE_ORDER_SHUFFLED);
  if (spec->length_case() == v1::MidcoderTrainingSpec::LENGTH_NOT_SET) spec->set_steps(1000);
  if (!spec->has_batch_size()) spec->set_batch_size(32);
  if (!spec->has_lr()) spec->set_lr(1e-3);
  if (!spec->has_weight_decay()) spec->set_weight_decay(1e-3);
  if (!spec->has_adam_eps()) spec->set_adam_eps(1e-8);
  if (!spec->has_mse_out_param()) spec->set_mse_out_param(1.0);
  if (!spec->has_steps_per_epoch()) spec->set_steps_per_epoch(10);
  if (!spec->has_seed()) spec->set_seed(0);
}

absl::Status CheckEnums(const v1::MidcoderTrainingSpec& spec) {
  if (v1::MidForm_IsValid(spec.mid_form()) && v1::MidGate_IsValid(spec.gate()) &&
      v1::SequenceOrder_IsValid(spec.order())) {
    return absl::OkStatus();
  }
  return InvalidArgument(reason::kConfigInvalid, "mid_form, gate or order has a value that this server does not know");
}

absl::Status CheckCounts(const v1::MidcoderTrainingSpec& spec) {
  if (spec.has_epochs()) SUPERPOSE_RETURN_IF_ERROR(CheckCount("epochs", spec.epochs(), kMostSteps));
  if (spec.has_train_tokens()) SUPERPOSE_RETURN_IF_ERROR(CheckCount("train_tokens", spec.train_tokens(), kMostTokens));
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("batch_size", spec.batch_size(), kMostSequences));
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("steps_per_epoch", spec.steps_per_epoch(), kMostSteps));
  return CheckCount("steps", StepsOf(spec), kMostSteps);
}

// The context length to use when the caller left it out.
int64_t StandardContextLength(const LoadedModel& model, const Corpus& corpus) {
  if (corpus.is_array()) return corpus.row_length();
  return std::min(kDefaultContextLength, model.model->config().n_positions);
}

absl::Status CheckContextLength(const LoadedModel& model, int64_t context_length) {
  int64_t longest = model.model->config().n_positions;
  if (context_length >= 2 && context_length <= longest) return absl::OkStatus();
  return InvalidArgument(context_length < 2 ? reason::kConfigInvalid : reason::kContextExceeded, "context_length is ",
                         context_length, ": it must be 2 .. ", longest, " for ", model.name);
}

absl::Status CheckCorpusOf(const LoadedModel& model, const LoadedCorpus& corpus) {
  if (corpus.model == model.name) return absl::OkStatus();
  return FailedPrecondition(reason::kConfigInvalid, corpus.name, " is tokenized for ", corpus.model, ", not for ",
                            model.name);
}

// Full names in place of selectors; all of one model, none twice.
absl::StatusOr<const LoadedModel*> ResolveTranscoders(const ModelRegistry& registry, v1::MidcoderTrainingSpec* spec) {
  if (spec->transcoders().empty())
    return InvalidArgument(reason::kEmptyInput, "transcoders is empty: name at least one");
  const LoadedModel* model = nullptr;
  std::set<std::string> names;
  for (std::string& selector : *spec->mutable_transcoders()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* its_model, registry.ModelOf(selector));
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedTranscoder* transcoder, registry.FindTranscoder(selector));
    if (model != nullptr && its_model != model) {
      return InvalidArgument(reason::kConfigInvalid, "the transcoders of one job must be of one model, not of ",
                             model->name, " and ", its_model->name);
    }
    if (!names.insert(transcoder->name).second)
      return InvalidArgument(reason::kConfigInvalid, transcoder->name, " is named twice");
    model = its_model;
    selector = transcoder->name;
  }
  return model;
}

}  // namespace

absl::StatusOr<v1::MidcoderTrainingSpec> ResolveTrainingSpec(const ModelRegistry& registry,
                                                             v1::MidcoderTrainingSpec spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, ResolveTranscoders(registry, &spec));
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedCorpus* corpus, registry.FindCorpus(spec.corpus()));
  SUPERPOSE_RETURN_IF_ERROR(CheckCorpusOf(*model, *corpus));
  FillTrainingDefaults(&spec);
  if (!spec.has_context_length()) spec.set_context_length(StandardContextLength(*model, *corpus->corpus));
  SUPERPOSE_RETURN_IF_ERROR(CheckEnums(spec));
  SUPERPOSE_RETURN_IF_ERROR(CheckContextLength(*model, spec.context_length()));
  SUPERPOSE_RETURN_IF_ERROR(CheckCounts(spec));
  SUPERPOSE_ASSIGN_OR_RETURN(const TrainerConfig config, TrainerConfigFor(registry, spec));
  SUPERPOSE_RETURN_IF_ERROR(ValidateTrainerConfig(config));
  SUPERPOSE_RETURN_IF_ERROR(
      SequencesFor(registry, spec.corpus(), spec.context_length(), TrainingSplit(*corpus->corpus)).status());
  return spec;
}

absl::StatusOr<v1::MidcoderEvaluationSpec> ResolveEvaluationSpec(const ModelRegistry& registry,
                                                                 const v1::Midcoder& midcoder,
                                                                 v1::MidcoderEvaluationSpec spec) {
  if (spec.corpus().empty()) spec.set_corpus(midcoder.spec().corpus());
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, registry.FindModel(midcoder.provenance().model()));
  SUPERPOSE_RETURN_IF_ERROR(registry.FindTranscoder(midcoder.provenance().transcoder()).status());
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedCorpus* corpus, registry.FindCorpus(spec.corpus()));
  SUPERPOSE_RETURN_IF_ERROR(CheckCorpusOf(*model, *corpus));
  if (!spec.has_tokens()) spec.set_tokens(20000);
  if (!spec.has_batch_size()) spec.set_batch_size(16);
  if (!spec.has_keep_bos()) spec.set_keep_bos(false);
  if (!spec.has_context_length()) {
    spec.set_context_length(corpus->corpus->is_array() ? corpus->corpus->row_length()
                                                       : midcoder.spec().context_length());
  }
  if (spec.split() == v1::CORPUS_SPLIT_UNSPECIFIED) {
    spec.set_split(corpus->corpus->documents() > 0 ? v1::CORPUS_SPLIT_HELDOUT : v1::CORPUS_SPLIT_ALL);
  }
  if (!v1::CorpusSplit_IsValid(spec.split()))
    return InvalidArgument(reason::kConfigInvalid, "split has a value that this server does not know");
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("tokens", spec.tokens(), kMostTokens));
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("batch_size", spec.batch_size(), kMostSequences));
  SUPERPOSE_RETURN_IF_ERROR(CheckContextLength(*model, spec.context_length()));
  SUPERPOSE_RETURN_IF_ERROR(SequencesFor(registry, spec.corpus(), spec.context_length(), spec.split()).status());
  return spec;
}

int64_t StepsOf(const v1::MidcoderTrainingSpec& spec) {
  if (spec.has_steps()) return spec.steps();
  if (spec.has_epochs()) return spec.epochs() * spec.steps_per_epoch();
  int64_t epoch_tokens = spec.context_length() * spec.batch_size() * spec.steps_per_epoch();
  return (spec.train_tokens() / epoch_tokens + 1) * spec.steps_per_epoch();
}

absl::StatusOr<TrainerConfig> TrainerConfigFor(const ModelRegistry& registry, const v1::MidcoderTrainingSpec& spec) {
  TrainerConfig config{
      .form = spec.mid_form() == v1::MID_FORM_D_MODEL ? MidForm::kDModel : MidForm::kDMlp,
      .gate = spec.gate() == v1::MID_GATE_MODEL ? MidGate::kModel : MidGate::kRelu,
      .layers = {},
      .steps = StepsOf(spec),
      .batch_size = spec.batch_size(),
      .steps_per_epoch = spec.steps_per_epoch(),
      .lr = spec.lr(),
      .weight_decay = spec.weight_decay(),
      .adam_eps = spec.adam_eps(),
      .mse_out_param = spec.mse_out_param(),
      .order = spec.order() == v1::SEQUENCE_ORDER_SEQUENTIAL ? SequenceOrder::kSequential : SequenceOrder::kShuffled,
      .seed = spec.seed()};
  for (const std::string& name : spec.transcoders()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedTranscoder* transcoder, registry.FindTranscoder(name));
    config.layers.push_back(transcoder->layer);
  }
  return config;
}

absl::StatusOr<std::shared_ptr<const TokenSequences>> SequencesFor(const ModelRegistry& registry,
                                                                   const std::string& corpus_name,
                                                                   int64_t context_length, v1::CorpusSplit split) {
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedCorpus* corpus, registry.FindCorpus(corpus_name));
  if (split == v1::CORPUS_SPLIT_UNSPECIFIED) split = TrainingSplit(*corpus->corpus);
  return corpus->corpus->Sequences(context_length, SplitOf(split));
}

}  // namespace superpose
