#include "server/runtime/tested_transcoder.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/load_corpus.h"
#include "server/runtime/reasons.h"
#include "server/runtime/self_test_tokens.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

absl::Status CheckFits(const TranscoderFile& file, const Model& model, int64_t layer) {
  const int64_t d_model = file.tensors.at("b_dec_out").numel();
  if (d_model != model.config().d_model) {
    return FailedPrecondition(reason::kTranscoderMismatch, "it reads d_model ", d_model, " but the model has ",
                              model.config().d_model);
  }
  if (file.layer < 0 || file.layer == layer) return absl::OkStatus();
  return FailedPrecondition(reason::kTranscoderMismatch, "its file says that it was trained on layer ", file.layer,
                            ", but the config puts it on layer ", layer);
}

// The first corpus of the model, by name, whose ids it knows; null when there is none.
CorpusHandle FindCorpusOf(const LoadedModel& model, const ModelRegistry* registry) {
  if (registry == nullptr) return nullptr;
  for (const auto& [name, corpus] : registry->corpora()) {
    if (corpus->model == model.name && CheckVocabulary(*corpus, model).ok()) return corpus;
  }
  return nullptr;
}

absl::StatusOr<TranscoderFile> ReadEntry(const LoadedModel& model, const v1::TranscoderEntry& entry) {
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderFile file, ReadTranscoderFile({entry.path(), entry.log_sparsity_path()}));
  SUPERPOSE_RETURN_IF_ERROR(CheckFits(file, *model.model, entry.layer()));
  if (!entry.input().empty()) {
    SUPERPOSE_ASSIGN_OR_RETURN(file.convention.input, ParseTranscoderInput(entry.input()));
    file.convention.input_known_from = InputKnownFrom::kConfig;
  }
  return file;
}

absl::Status HeedWarning(const std::string& name, const SelfTest& test, v1::SelfTestPolicy policy) {
  if (test.warning.empty()) return absl::OkStatus();
  if (policy == v1::SELF_TEST_POLICY_REFUSE) {
    return FailedPrecondition(reason::kConventionMismatch,
                              "its self-test says that it is read in the wrong way: ", test.warning,
                              "; self_test: SELF_TEST_POLICY_WARN loads it all the same");
  }
  Log(LogLevel::kWarning, "a transcoder seems to be read in the wrong way",
      {{"transcoder", name}, {"self_test", test.warning}});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TestedTranscoder> LoadTestedTranscoder(const LoadedModel& model, const std::string& name,
                                                      const v1::TranscoderEntry& entry, const LoadContext& context) {
  SUPERPOSE_RETURN_IF_ERROR(model.model->CheckLayer(entry.layer()));
  SUPERPOSE_ASSIGN_OR_RETURN(TranscoderFile file, ReadEntry(model, entry));
  const LayerNorm& norm = model.model->mlp_norm(entry.layer());
  const TranscoderOptions options{.int8_prefilter = context.int8_prefilter};
  TestedTranscoder loaded;
  if (context.self_test == v1::SELF_TEST_POLICY_OFF) {
    SUPERPOSE_ASSIGN_OR_RETURN(loaded.transcoder, Transcoder::Create(file, norm, context.device, options));
    return loaded;
  }
  const CorpusHandle corpus = FindCorpusOf(model, context.registry);
  SUPERPOSE_ASSIGN_OR_RETURN(const SelfTestTokens tokens, ChooseSelfTestTokens(model, corpus.get()));
  SUPERPOSE_ASSIGN_OR_RETURN(const SelfTester tester, SelfTester::Create(*model.model, entry.layer(), tokens.ids));
  SUPERPOSE_RETURN_IF_ERROR(tester.SettleInput(file));
  SUPERPOSE_ASSIGN_OR_RETURN(loaded.transcoder, Transcoder::Create(file, norm, context.device, options));
  SUPERPOSE_ASSIGN_OR_RETURN(loaded.self_test, tester.Run(file, *loaded.transcoder));
  loaded.tokens = tokens.source;
  SUPERPOSE_RETURN_IF_ERROR(HeedWarning(name, *loaded.self_test, context.self_test));
  return loaded;
}

}  // namespace superpose
