#include "server/midcoder_files/midcoder_importer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/jobs/artifact_description.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/reasons.h"
#include "server/uploads/import_upload.h"

namespace superpose {
namespace {

constexpr char kReferenceFile[] = "reference .pt";

// What a midcoder belongs to.
struct Place {
  ModelHandle model;
  TranscoderHandle transcoder;
};

absl::StatusOr<Place> FindPlace(const ModelRegistry& registry, const std::string& transcoder) {
  Place place;
  SUPERPOSE_ASSIGN_OR_RETURN(place.transcoder, registry.FindTranscoder(transcoder));
  SUPERPOSE_ASSIGN_OR_RETURN(place.model, registry.ModelOf(transcoder));
  return place;
}

MidcoderWidths WidthsOf(const Place& place) {
  const ModelConfig& config = place.model->model->config();
  return {.d_sae = place.transcoder->transcoder->d_sae(), .d_model = config.d_model, .d_mlp = config.d_mlp};
}

ArtifactRequest RequestOf(const v1::ImportMidcoderRequest& request) {
  return {request.request_id(), Sha256Hex(absl::StrCat(request.upload(), "\n", request.transcoder()))};
}

// What the file says, and where it says nothing the defaults of the reference's config class.
v1::MidcoderTrainingSpec SpecOf(const ReferenceMidcoder& file, const std::string& transcoder) {
  const ReferenceConfig& config = file.config;
  v1::MidcoderTrainingSpec spec;
  spec.add_transcoders(transcoder);
  spec.set_mid_form(file.form == MidForm::kDModel ? v1::MID_FORM_D_MODEL : v1::MID_FORM_D_MLP);
  spec.set_gate(v1::MID_GATE_RELU);
  spec.set_order(v1::SEQUENCE_ORDER_SEQUENTIAL);
  spec.set_train_tokens(config.train_tokens.value_or(100'000'000));
  spec.set_batch_size(config.batch_size.value_or(32));
  spec.set_context_length(config.context_length.value_or(128));
  spec.set_lr(config.lr.value_or(1e-3));
  spec.set_weight_decay(config.weight_decay.value_or(1e-3));
  spec.set_adam_eps(1e-8);
  spec.set_mse_out_param(config.mse_out_param.value_or(1.0));
  spec.set_steps_per_epoch(config.steps_per_epoch.value_or(10));
  spec.set_seed(static_cast<uint64_t>(config.seed.value_or(42)));
  return spec;
}

int64_t TokensCounted(const TensorMap& statistics) {
  constexpr double kMost = 1e18;  // no more fit into an integer, whatever the file says
  const auto counts = statistics.find("counts");
  if (counts == statistics.end()) return 0;
  return static_cast<int64_t>(std::clamp(counts->second.item<double>(), 0.0, kMost));
}

v1::Midcoder DescribeImported(const Place& place, const std::string& owner) {
  v1::Midcoder midcoder;
  *midcoder.mutable_provenance() = DescribeProvenance(*place.model, *place.transcoder, nullptr);
  midcoder.set_layer(static_cast<int32_t>(place.transcoder->layer));
  midcoder.set_owner(owner);
  return midcoder;
}

v1::Snapshot DescribeSnapshot(const v1::Midcoder& midcoder, const ReferenceMidcoder& file) {
  v1::Snapshot snapshot;
  *snapshot.mutable_provenance() = midcoder.provenance();
  snapshot.set_layer(midcoder.layer());
  snapshot.set_midcoder(midcoder.name());
  snapshot.set_owner(midcoder.owner());
  snapshot.set_tokens(midcoder.tokens());
  snapshot.set_includes_bos(file.counting.includes_bos);
  snapshot.set_moving_parameters(file.counting.moving_parameters);
  snapshot.set_has_feature_ids(file.statistics.count("feat_ids") > 0);
  snapshot.set_imported_from(kReferenceFile);
  return snapshot;
}

// A snapshot holds the parameters that its predicted decoders are made with.
TensorMap SnapshotTensors(const ReferenceMidcoder& file) {
  TensorMap tensors = file.statistics;
  tensors.insert(file.parameters.begin(), file.parameters.end());
  return tensors;
}

// The description that our own form carries.
absl::StatusOr<v1::Midcoder> DescriptionIn(const SafetensorsFile& file) {
  v1::Midcoder midcoder;
  SUPERPOSE_RETURN_IF_ERROR(ReadDescription(file.metadata(), "midcoder", &midcoder));
  if (v1::MidForm_IsValid(midcoder.spec().mid_form()) && v1::MidGate_IsValid(midcoder.spec().gate())) return midcoder;
  return InvalidArgument(reason::kFileCorrupt, "the midcoder's description in the file's metadata cannot be read");
}

absl::Status CheckTranscoder(const v1::Midcoder& midcoder, const LoadedTranscoder& transcoder) {
  const std::string& trained_on = midcoder.provenance().transcoder_hash();
  if (trained_on == transcoder.transcoder->content_hash()) return absl::OkStatus();
  return FailedPrecondition(reason::kInputChanged, "the midcoder was trained on ", midcoder.provenance().transcoder(),
                            " with content hash ", trained_on, ", and ", transcoder.name, " has ",
                            transcoder.transcoder->content_hash());
}

absl::StatusOr<TensorMap> CheckedTensors(const v1::Midcoder& midcoder, const Place& place, const TensorMap& tensors) {
  const MidForm form = FormOf(midcoder.spec());
  return CatchTorch([&]() -> absl::StatusOr<TensorMap> {
    SUPERPOSE_ASSIGN_OR_RETURN(const Midcoder checked,
                               Midcoder::FromTensors(form, MidGate::kRelu, place.transcoder->layer, *place.model->model,
                                                     place.transcoder->transcoder->d_sae(), tensors));
    TensorMap on_cpu;
    for (const auto& [name, tensor] : checked.tensors()) on_cpu[name] = tensor.cpu();
    return on_cpu;
  });
}

}  // namespace

absl::StatusOr<v1::Midcoder> MidcoderImporter::Import(const v1::ImportMidcoderRequest& request,
                                                      const std::string& owner) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Midcoder> before,
                             parts_.midcoders->MadeByRequest(owner, RequestOf(request)));
  // float32 of what may lie there with half of the bits.
  constexpr int64_t kCopiesOfFile = 2;
  SUPERPOSE_ASSIGN_OR_RETURN(
      const MemoryReservation memory,
      ReserveForImport(parts_.budget, parts_.uploads, request.upload(), kCopiesOfFile, "importing this midcoder"));
  if (before.has_value()) {
    SUPERPOSE_RETURN_IF_ERROR(Complete(*before, request.upload()));
  } else {
    SUPERPOSE_ASSIGN_OR_RETURN(before, ImportNew(request, owner));
  }
  parts_.uploads->Remove(request.upload()).IgnoreError();  // else it goes after a week
  return *std::move(before);
}

absl::StatusOr<v1::Midcoder> MidcoderImporter::ImportNew(const v1::ImportMidcoderRequest& request,
                                                         const std::string& owner) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string path, parts_.uploads->PathOf(request.upload()));
  return IsZip(path) ? ImportReference(path, request, owner) : ImportOwnForm(path, request, owner);
}

absl::Status MidcoderImporter::Complete(const v1::Midcoder& midcoder, const std::string& upload) {
  const auto path = parts_.uploads->PathOf(upload);
  if (!path.ok() || midcoder.imported_from() != kReferenceFile) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(const SnapshotPage made, parts_.snapshots->List(1, "", midcoder.name()));
  if (!made.items.empty()) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(const Place place, FindPlace(*parts_.registry, midcoder.provenance().transcoder()));
  SUPERPOSE_ASSIGN_OR_RETURN(const ReferenceMidcoder file, ReadReferenceMidcoder(*path, WidthsOf(place)));
  return AddSnapshot(midcoder, file);
}

absl::Status MidcoderImporter::AddSnapshot(const v1::Midcoder& midcoder, const ReferenceMidcoder& file) {
  if (file.statistics.empty()) return absl::OkStatus();
  return parts_.snapshots->Add(DescribeSnapshot(midcoder, file), SnapshotTensors(file), parts_.clock->Now()).status();
}

absl::StatusOr<v1::Midcoder> MidcoderImporter::ImportReference(const std::string& path,
                                                               const v1::ImportMidcoderRequest& request,
                                                               const std::string& owner) {
  if (request.transcoder().empty()) {
    return InvalidArgument(reason::kConfigInvalid,
                           "transcoder is missing: a midcoder's .pt file does not say what it was trained on");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const Place place, FindPlace(*parts_.registry, request.transcoder()));
  SUPERPOSE_ASSIGN_OR_RETURN(const ReferenceMidcoder file, ReadReferenceMidcoder(path, WidthsOf(place)));
  v1::Midcoder midcoder = DescribeImported(place, owner);
  *midcoder.mutable_spec() = SpecOf(file, place.transcoder->name);
  midcoder.set_imported_from(kReferenceFile);
  midcoder.set_tokens(TokensCounted(file.statistics));
  SUPERPOSE_ASSIGN_OR_RETURN(midcoder, parts_.midcoders->AddImported(std::move(midcoder), file.parameters,
                                                                     RequestOf(request), parts_.clock->Now()));
  absl::Status added = AddSnapshot(midcoder, file);
  if (added.ok()) return midcoder;
  parts_.midcoders->Delete(midcoder.name()).IgnoreError();  // else the same request completes it
  return added;
}

absl::StatusOr<v1::Midcoder> MidcoderImporter::ImportOwnForm(const std::string& path,
                                                             const v1::ImportMidcoderRequest& request,
                                                             const std::string& owner) {
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder described, DescriptionIn(file));
  const bool is_named = !request.transcoder().empty();
  SUPERPOSE_ASSIGN_OR_RETURN(
      const Place place,
      FindPlace(*parts_.registry, is_named ? request.transcoder() : described.provenance().transcoder()));
  SUPERPOSE_RETURN_IF_ERROR(CheckTranscoder(described, *place.transcoder));
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap tensors, CheckedTensors(described, place, file.tensors()));
  v1::Midcoder midcoder = DescribeImported(place, owner);
  *midcoder.mutable_spec() = described.spec();
  midcoder.mutable_spec()->clear_transcoders();
  midcoder.mutable_spec()->add_transcoders(place.transcoder->name);
  midcoder.mutable_provenance()->set_corpus(described.provenance().corpus());
  midcoder.mutable_provenance()->set_corpus_hash(described.provenance().corpus_hash());
  *midcoder.mutable_final_losses() = described.final_losses();
  midcoder.set_steps(described.steps());
  midcoder.set_tokens(described.tokens());
  midcoder.set_imported_from(described.name());
  return parts_.midcoders->AddImported(std::move(midcoder), tensors, RequestOf(request), parts_.clock->Now());
}

}  // namespace superpose
