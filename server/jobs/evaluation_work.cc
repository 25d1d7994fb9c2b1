#include "server/jobs/evaluation_work.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/midcoder_specs.h"

namespace superpose {

absl::StatusOr<std::unique_ptr<JobWork>> EvaluationWork::Create(const v1::Job& job, const JobParts& parts) {
  const v1::MidcoderEvaluationSpec& spec = job.evaluate_midcoder();
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Midcoder midcoder, parts.midcoders->Get(spec.midcoder()));
  SUPERPOSE_ASSIGN_OR_RETURN(SafetensorsFile weights, parts.midcoders->Open(spec.midcoder()));
  SUPERPOSE_ASSIGN_OR_RETURN(EvaluationHandles handles, FindEvaluationHandles(*parts.registry, midcoder, spec));
  EvaluatorInputs inputs;
  inputs.model = handles.model->model;
  inputs.transcoder = handles.transcoder->transcoder;
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.sequences, SequencesFor(*handles.corpus, spec));
  return std::unique_ptr<JobWork>(
      new EvaluationWork(job, parts, std::move(midcoder), std::move(weights), std::move(handles), std::move(inputs)));
}

EvaluationWork::EvaluationWork(const v1::Job& job, const JobParts& parts, v1::Midcoder midcoder,
                               SafetensorsFile weights, EvaluationHandles handles, EvaluatorInputs inputs)
    : job_(job),
      parts_(parts),
      midcoder_(std::move(midcoder)),
      weights_(std::move(weights)),
      handles_(std::move(handles)),
      inputs_(std::move(inputs)) {}

absl::Status EvaluationWork::StartEvaluator() {
  const v1::MidcoderTrainingSpec& trained = midcoder_.spec();
  const MidForm form = FormOf(trained);
  const MidGate gate = GateOf(trained);
  SUPERPOSE_ASSIGN_OR_RETURN(Midcoder midcoder, Midcoder::FromTensors(form, gate, midcoder_.layer(), *inputs_.model,
                                                                      inputs_.transcoder->d_sae(), weights_.tensors()));
  inputs_.midcoder = std::make_shared<Midcoder>(std::move(midcoder));
  const EvaluatorConfig config{
      .tokens = spec().tokens(), .batch_size = spec().batch_size(), .keep_bos = spec().keep_bos()};
  SUPERPOSE_ASSIGN_OR_RETURN(evaluator_, MidcoderEvaluator::Create(inputs_, config));
  return absl::OkStatus();
}

absl::StatusOr<bool> EvaluationWork::RunSlice(const Budget& budget) {
  if (evaluator_ == nullptr) SUPERPOSE_RETURN_IF_ERROR(StartEvaluator());
  const int64_t tokens_before = evaluator_->tokens_done();
  SUPERPOSE_ASSIGN_OR_RETURN(const bool done, evaluator_->RunSlice(budget));
  parts_.metrics->AddTokens("evaluate_midcoder", static_cast<double>(evaluator_->tokens_done() - tokens_before));
  return done;
}

WorkReport EvaluationWork::Report() const {
  WorkReport report;
  report.progress.set_unit("tokens");
  if (evaluator_ == nullptr) return report;
  report.progress.set_done(evaluator_->tokens_done());
  report.progress.set_total(evaluator_->tokens_total());
  return report;
}

absl::StatusOr<v1::Job> EvaluationWork::Finish(const KeepWriting& /*keep_writing*/) {
  v1::Job result;
  v1::MidcoderEvaluation* evaluation = result.mutable_evaluation();
  evaluation->set_midcoder(midcoder_.name());
  *evaluation->mutable_provenance() = DescribeProvenance(*handles_.model, *handles_.transcoder, handles_.corpus.get());
  const EvaluationResult figures = evaluator_->result();
  evaluation->mutable_metrics()->insert(figures.begin(), figures.end());
  evaluation->set_tokens(evaluator_->tokens_done());
  const bool of_its_corpus = handles_.corpus->corpus->content_hash() == midcoder_.provenance().corpus_hash();
  evaluation->set_on_training_tokens(of_its_corpus && spec().split() != v1::CORPUS_SPLIT_HELDOUT);
  *evaluation->mutable_spec() = spec();
  return result;
}

}  // namespace superpose
