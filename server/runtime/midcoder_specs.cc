#include "server/runtime/midcoder_specs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"
#include "server/runtime/spec_checks.h"
#include "server/runtime/statistics_specs.h"

namespace superpose {
namespace {

v1::CorpusSplit TrainingSplit(const Corpus& corpus) {
  return corpus.documents() > 0 ? v1::CORPUS_SPLIT_TRAIN : v1::CORPUS_SPLIT_ALL;
}

constexpr int64_t kMostVariants = 256;

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

absl::Status CheckGrid(const v1::MidcoderGrid& grid) {
  int64_t variants = 1;
  for (const int size : {grid.lr_size(), grid.weight_decay_size(), grid.mse_out_param_size(), grid.seed_size()}) {
    variants = std::min(variants * std::max(1, size), kMostVariants + 1);
  }
  if (variants <= kMostVariants) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "grid has more than ", kMostVariants,
                         " combinations: split it into several jobs");
}

// Every variant once for each of the values, if there are any.
template <typename Values, typename Set>
void Vary(const Values& values, Set set, std::vector<TrainerVariant>* sweep) {
  if (values.empty()) return;
  std::vector<TrainerVariant> varied;
  for (const TrainerVariant& variant : *sweep) {
    for (const auto value : values) {
      varied.push_back(variant);
      set(value, &varied.back());
    }
  }
  *sweep = std::move(varied);
}

// Every combination of the grid, its last setting turning fastest; empty without a grid.
std::vector<TrainerVariant> SweepOf(const v1::MidcoderTrainingSpec& spec) {
  if (!spec.has_grid()) return {};
  const v1::MidcoderGrid& grid = spec.grid();
  std::vector<TrainerVariant> sweep = {{.lr = spec.lr(),
                                        .weight_decay = spec.weight_decay(),
                                        .mse_out_param = spec.mse_out_param(),
                                        .seed = spec.seed()}};
  Vary(grid.lr(), [](double value, TrainerVariant* variant) { variant->lr = value; }, &sweep);
  Vary(grid.weight_decay(), [](double value, TrainerVariant* variant) { variant->weight_decay = value; }, &sweep);
  Vary(grid.mse_out_param(), [](double value, TrainerVariant* variant) { variant->mse_out_param = value; }, &sweep);
  Vary(grid.seed(), [](uint64_t value, TrainerVariant* variant) { variant->seed = value; }, &sweep);
  return sweep;
}

}  // namespace

absl::StatusOr<v1::MidcoderTrainingSpec> ResolveTrainingSpec(const ModelRegistry& registry,
                                                             v1::MidcoderTrainingSpec spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const TrainingHandles handles, FindTrainingHandles(registry, spec));
  for (int i = 0; i < spec.transcoders_size(); ++i) spec.set_transcoders(i, handles.transcoders[i]->name);
  FillTrainingDefaults(&spec);
  if (!spec.has_context_length()) {
    spec.set_context_length(StandardContextLength(*handles.model, *handles.corpus->corpus));
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckEnums(spec));
  SUPERPOSE_RETURN_IF_ERROR(CheckContextLength(*handles.model, spec.context_length()));
  SUPERPOSE_RETURN_IF_ERROR(CheckCounts(spec));
  SUPERPOSE_RETURN_IF_ERROR(CheckGrid(spec.grid()));
  if (spec.has_statistics()) {
    SUPERPOSE_ASSIGN_OR_RETURN(*spec.mutable_statistics(), ResolveStatisticsOptions(spec.statistics()));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const TrainerConfig config, TrainerConfigFor(handles, spec));
  SUPERPOSE_RETURN_IF_ERROR(ValidateTrainerConfig(config));
  SUPERPOSE_RETURN_IF_ERROR(SequencesFor(*handles.corpus, spec).status());
  return spec;
}

absl::StatusOr<v1::MidcoderEvaluationSpec> ResolveEvaluationSpec(const ModelRegistry& registry,
                                                                 const v1::Midcoder& midcoder,
                                                                 v1::MidcoderEvaluationSpec spec) {
  if (spec.corpus().empty()) spec.set_corpus(midcoder.spec().corpus());
  SUPERPOSE_ASSIGN_OR_RETURN(const EvaluationHandles handles, FindEvaluationHandles(registry, midcoder, spec));
  const Corpus& corpus = *handles.corpus->corpus;
  if (!spec.has_tokens()) spec.set_tokens(20000);
  if (!spec.has_batch_size()) spec.set_batch_size(16);
  if (!spec.has_keep_bos()) spec.set_keep_bos(false);
  if (!spec.has_context_length()) {
    spec.set_context_length(corpus.is_array() ? corpus.row_length() : midcoder.spec().context_length());
  }
  if (spec.split() == v1::CORPUS_SPLIT_UNSPECIFIED) {
    spec.set_split(corpus.documents() > 0 ? v1::CORPUS_SPLIT_HELDOUT : v1::CORPUS_SPLIT_ALL);
  }
  if (!v1::CorpusSplit_IsValid(spec.split()))
    return InvalidArgument(reason::kConfigInvalid, "split has a value that this server does not know");
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("tokens", spec.tokens(), kMostTokens));
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("batch_size", spec.batch_size(), kMostSequences));
  SUPERPOSE_RETURN_IF_ERROR(CheckContextLength(*handles.model, spec.context_length()));
  SUPERPOSE_RETURN_IF_ERROR(SequencesFor(*handles.corpus, spec).status());
  return spec;
}

MidForm FormOf(const v1::MidcoderTrainingSpec& spec) {
  return spec.mid_form() == v1::MID_FORM_D_MODEL ? MidForm::kDModel : MidForm::kDMlp;
}

MidGate GateOf(const v1::MidcoderTrainingSpec& spec) {
  return spec.gate() == v1::MID_GATE_MODEL ? MidGate::kModel : MidGate::kRelu;
}

int64_t StepsOf(const v1::MidcoderTrainingSpec& spec) {
  if (spec.has_steps()) return spec.steps();
  if (spec.has_epochs()) return StepsForEpochs(spec.epochs(), spec.steps_per_epoch());
  return StepsForTrainTokens(spec.train_tokens(), spec.context_length(), spec.batch_size(), spec.steps_per_epoch());
}

v1::MidcoderTrainingSpec SpecOfVariant(v1::MidcoderTrainingSpec spec, const TrainerVariant& variant) {
  spec.clear_grid();
  spec.set_lr(variant.lr);
  spec.set_weight_decay(variant.weight_decay);
  spec.set_mse_out_param(variant.mse_out_param);
  spec.set_seed(variant.seed);
  return spec;
}

absl::StatusOr<TrainerConfig> TrainerConfigFor(const TrainingHandles& handles, const v1::MidcoderTrainingSpec& spec) {
  TrainerConfig config{
      .form = FormOf(spec),
      .gate = GateOf(spec),
      .layers = {},
      .steps = StepsOf(spec),
      .batch_size = spec.batch_size(),
      .steps_per_epoch = spec.steps_per_epoch(),
      .lr = spec.lr(),
      .weight_decay = spec.weight_decay(),
      .adam_eps = spec.adam_eps(),
      .mse_out_param = spec.mse_out_param(),
      .order = spec.order() == v1::SEQUENCE_ORDER_SEQUENTIAL ? SequenceOrder::kSequential : SequenceOrder::kShuffled,
      .seed = spec.seed(),
      .sweep = SweepOf(spec),
      .statistics = {}};
  for (const TranscoderHandle& transcoder : handles.transcoders) config.layers.push_back(transcoder->layer);
  if (!spec.has_statistics()) return config;
  TrainingStatistics& statistics = config.statistics.emplace();
  statistics.include_bos = spec.statistics().include_bos();
  for (const TranscoderHandle& transcoder : handles.transcoders) {
    SUPERPOSE_ASSIGN_OR_RETURN(statistics.layers.emplace_back(),
                               StatisticsOptionsFor(spec.statistics(), *transcoder->transcoder, GateSource::kMidcoder));
  }
  return config;
}

absl::StatusOr<std::shared_ptr<const TokenSequences>> SequencesFor(const LoadedCorpus& corpus,
                                                                   const v1::MidcoderTrainingSpec& spec) {
  return corpus.corpus->Sequences(spec.context_length(), SplitOf(TrainingSplit(*corpus.corpus)));
}

absl::StatusOr<std::shared_ptr<const TokenSequences>> SequencesFor(const LoadedCorpus& corpus,
                                                                   const v1::MidcoderEvaluationSpec& spec) {
  return corpus.corpus->Sequences(spec.context_length(), SplitOf(spec.split()));
}

}  // namespace superpose
