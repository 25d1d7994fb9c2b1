#include "server/runtime/descriptors.h"

#include <google/protobuf/util/time_util.h>

#include "absl/strings/str_cat.h"
#include "lib/kernels/compute_thread.h"
#include "lib/tensor_io/tensor_bytes.h"
#include "lib/transcoder/int8_features.h"
#include "server/runtime/version.h"

namespace superpose {
namespace {

constexpr char kConvention[] = "normalized MLP input before gain and bias -> MLP output centred over d_model";

// The convention in memory, and the file's where it was another one.
std::string ConventionOf(const Transcoder& transcoder) {
  const TranscoderConvention& file = transcoder.convention();
  if (file.folded.empty()) return kConvention;
  return absl::StrCat(kConvention, " (file: ", NameOf(file.input),
                      file.centred_target ? ", centred target)" : ", target not centred)");
}

v1::TranscoderConvention DescribeConvention(const TranscoderConvention& convention) {
  v1::TranscoderConvention proto;
  proto.set_input(std::string(NameOf(convention.input)));
  proto.set_input_known_from(std::string(NameOf(convention.input_known_from)));
  proto.set_subtracts_input_bias(convention.subtracts_input_bias);
  proto.set_has_skip(convention.has_skip);
  proto.set_activation(std::string(NameOf(convention.activation)));
  proto.set_centred_target(convention.centred_target);
  for (const std::string& fold : convention.folded) proto.add_folded(fold);
  return proto;
}

v1::SelfTestFigures DescribeFigures(const SelfTestFigures& figures) {
  v1::SelfTestFigures proto;
  proto.set_tokens(figures.tokens);
  proto.set_l0(figures.l0);
  proto.set_explained_variance(figures.explained_variance);
  proto.set_dead_fraction(figures.dead_fraction);
  return proto;
}

v1::TranscoderSelfTest DescribeSelfTest(const SelfTest& test, const std::string& tokens) {
  v1::TranscoderSelfTest proto;
  *proto.mutable_figures() = DescribeFigures(test.figures);
  for (const SelfTestAlternate& alternate : test.alternates) {
    v1::SelfTestAlternate* added = proto.add_alternates();
    added->set_convention(alternate.convention);
    *added->mutable_figures() = DescribeFigures(alternate.figures);
  }
  proto.set_warning(test.warning);
  proto.set_tokens(tokens);
  return proto;
}

template <typename Repeated>
void DescribeTensors(const TensorMap& tensors, Repeated* infos) {
  for (const auto& [name, tensor] : tensors) *infos->Add() = DescribeTensor(name, tensor);
}

std::string BytesOf(const at::Tensor& tensor) {
  return std::string(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
}

}  // namespace

v1::Transcoder DescribeTranscoder(const LoadedTranscoder& loaded) {
  const Transcoder& transcoder = *loaded.transcoder;
  v1::Transcoder proto;
  proto.set_name(loaded.name);
  proto.set_layer(static_cast<int32_t>(loaded.layer));
  proto.set_d_sae(transcoder.d_sae());
  proto.set_format(transcoder.format());
  proto.set_convention(ConventionOf(transcoder));
  *proto.mutable_declared_convention() = DescribeConvention(transcoder.convention());
  if (loaded.self_test.has_value())
    *proto.mutable_self_test() = DescribeSelfTest(*loaded.self_test, loaded.self_test_tokens);
  proto.set_has_log_sparsity(transcoder.has_log_sparsity());
  if (loaded.live_features.has_value()) proto.set_live_features(*loaded.live_features);
  proto.set_content_hash(transcoder.content_hash());
  const bool filters = transcoder.prefilter() != nullptr;
  proto.set_memory_bytes(TensorBytes(transcoder.tensors()) +
                         (filters ? Int8FeatureBytes(transcoder.d_model(), transcoder.d_sae()) : 0));
  DescribeTensors(transcoder.tensors(), proto.mutable_tensors());
  return proto;
}

v1::Model DescribeModel(const LoadedModel& loaded) {
  const ModelConfig& config = loaded.model->config();
  v1::Model proto;
  proto.set_name(loaded.name);
  proto.set_architecture("gpt2");
  proto.set_d_model(config.d_model);
  proto.set_d_mlp(config.d_mlp);
  proto.set_n_layers(config.n_layers);
  proto.set_n_heads(config.n_heads);
  proto.set_context_length(config.n_positions);
  proto.set_vocab_size(config.vocab_size);
  proto.set_activation_function(config.activation_function);
  proto.set_bos_token_id(static_cast<int32_t>(config.bos_token_id));
  proto.set_eos_token_id(static_cast<int32_t>(config.eos_token_id));
  proto.set_has_tokenizer(loaded.tokenizer != nullptr);
  proto.set_content_hash(loaded.model->content_hash());
  proto.set_memory_bytes(TensorBytes(loaded.model->tensors()));
  proto.set_device(loaded.model->device().str());
  for (const TranscoderHandle& transcoder : loaded.transcoders)
    *proto.add_transcoders() = DescribeTranscoder(*transcoder);
  DescribeTensors(loaded.model->tensors(), proto.mutable_tensors());
  return proto;
}

v1::Corpus DescribeCorpus(const LoadedCorpus& loaded) {
  v1::Corpus proto;
  proto.set_name(loaded.name);
  proto.set_model(loaded.model);
  proto.set_documents(loaded.corpus->documents());
  proto.set_tokens(loaded.corpus->tokens());
  proto.set_row_length(loaded.corpus->row_length());
  proto.set_content_hash(loaded.corpus->content_hash());
  proto.set_has_heldout(loaded.corpus->documents() > 0);
  proto.set_heldout_documents(loaded.corpus->heldout_documents());
  proto.set_heldout_tokens(loaded.corpus->heldout_tokens());
  proto.set_files(loaded.corpus->files());
  proto.set_uploaded(loaded.uploaded);
  if (!loaded.uploaded) return proto;
  proto.set_owner(loaded.owner);
  *proto.mutable_create_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(loaded.create_time));
  return proto;
}

v1::Provenance DescribeProvenance(const LoadedModel& model) {
  v1::Provenance proto;
  proto.set_model(model.name);
  proto.set_model_hash(model.model->content_hash());
  proto.set_server_version(kVersion);
  proto.set_device(model.model->device().str());
  const bool exact = CurrentMatmulPrecision() == MatmulPrecision::kFloat32;
  proto.set_matmul_precision(exact ? v1::MATMUL_PRECISION_FLOAT32 : v1::MATMUL_PRECISION_TF32);
  return proto;
}

v1::Provenance DescribeProvenance(const LoadedModel& model, const LoadedTranscoder& transcoder,
                                  const LoadedCorpus* corpus) {
  v1::Provenance proto = DescribeProvenance(model);
  // Of the device, since it changes no result beyond rounding.
  if (transcoder.transcoder->prefilter() != nullptr)
    proto.set_device(absl::StrCat(proto.device(), ", int8 pre-filter"));
  proto.set_transcoder(transcoder.name);
  proto.set_transcoder_hash(transcoder.transcoder->content_hash());
  if (corpus != nullptr) {
    proto.set_corpus(corpus->name);
    proto.set_corpus_hash(corpus->corpus->content_hash());
  }
  proto.set_convention(ConventionOf(*transcoder.transcoder));
  if (transcoder.self_test.has_value()) *proto.mutable_self_test() = DescribeFigures(transcoder.self_test->figures);
  return proto;
}

v1::SparseActivations ToProto(const SparseActivations& activations) {
  v1::SparseActivations proto;
  proto.set_rows(activations.rows());
  proto.set_d_sae(activations.d_sae);
  proto.set_row_splits(BytesOf(activations.row_splits));
  proto.set_feature_ids(BytesOf(activations.feature_ids));
  proto.set_values(BytesOf(activations.values));
  return proto;
}

}  // namespace superpose
