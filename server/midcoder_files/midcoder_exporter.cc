#include "server/midcoder_files/midcoder_exporter.h"

#include <string>

#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/statistics/reference_statistics.h"
#include "lib/tensor_io/tensor_bytes.h"
#include "server/jobs/export_file.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

ReferenceConfig ConfigOf(const v1::MidcoderTrainingSpec& spec) {
  ReferenceConfig config;
  config.context_length = spec.context_length();
  config.batch_size = spec.batch_size();
  config.steps_per_epoch = spec.steps_per_epoch();
  if (spec.has_train_tokens()) config.train_tokens = spec.train_tokens();
  config.seed = static_cast<int64_t>(spec.seed());
  config.lr = spec.lr();
  config.weight_decay = spec.weight_decay();
  config.mse_out_param = spec.mse_out_param();
  return config;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> MidcoderExporter::Export(const v1::ExportMidcoderRequest& request) {
  switch (request.format()) {
    case v1::MIDCODER_FILE_FORMAT_REFERENCE:
      return WriteReference(request);
    case v1::MIDCODER_FILE_FORMAT_UNSPECIFIED:
    case v1::MIDCODER_FILE_FORMAT_SAFETENSORS:
      if (request.snapshot().empty()) return midcoders_->OpenFile(request.name());
      return InvalidArgument(reason::kConfigInvalid,
                             "a snapshot goes into the reference's format only: leave it out, or ask for that format");
    default:
      return InvalidArgument(reason::kConfigInvalid, "format has a value that this server does not know");
  }
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MidcoderExporter::WriteReference(
    const v1::ExportMidcoderRequest& request) {
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder midcoder, midcoders_->Get(request.name()));
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile weights, midcoders_->Open(request.name()));
  ReferenceMidcoder file = {.form = FormOf(midcoder.spec()),
                            .config = ConfigOf(midcoder.spec()),
                            .parameters = weights.tensors(),
                            .statistics = {},
                            .counting = {}};
  MemoryReservation memory;
  if (!request.snapshot().empty()) {
    SUPERPOSE_ASSIGN_OR_RETURN(memory, AddStatistics(request, &file));
  }
  return MapExport(*folder_, TensorBytes(file.parameters) + TensorBytes(file.statistics),
                   [&file](const std::string& path) { return WriteReferenceMidcoder(path, file); });
}

absl::StatusOr<MemoryReservation> MidcoderExporter::AddStatistics(const v1::ExportMidcoderRequest& request,
                                                                  ReferenceMidcoder* file) {
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Snapshot facts, snapshots_->Get(request.snapshot()));
  if (facts.midcoder() != request.name()) {
    return InvalidArgument(reason::kConfigInvalid, facts.name(), " belongs to ",
                           facts.midcoder().empty() ? "no midcoder" : facts.midcoder(), ", not to ", request.name());
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile sums, snapshots_->Open(facts.name()));
  SUPERPOSE_ASSIGN_OR_RETURN(MemoryReservation memory, Reserve(sums.tensors()));
  SUPERPOSE_ASSIGN_OR_RETURN(file->statistics, ReferenceStatistics(sums.tensors()));
  file->counting = {.includes_bos = facts.includes_bos(), .moving_parameters = facts.moving_parameters()};
  return memory;
}

absl::StatusOr<MemoryReservation> MidcoderExporter::Reserve(const TensorMap& statistics) const {
  if (budget_ == nullptr) return MemoryReservation();
  int64_t bytes = 0;
  for (const auto& [name, tensor] : statistics) {
    // A triangle becomes a square.
    bytes += kFloatBytes * tensor.numel() * (absl::EndsWith(name, "_upper") ? 2 : 1);
  }
  return budget_->Reserve(MemoryUse::kRequest, bytes, "exporting this snapshot",
                          "wait for other calls to end, unload something, or raise memory_limit_bytes");
}

}  // namespace superpose
