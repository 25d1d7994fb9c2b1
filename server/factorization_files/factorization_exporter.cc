#include "server/factorization_files/factorization_exporter.h"

#include <ATen/ATen.h>

#include <string>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/factorization/reference_factors.h"
#include "server/jobs/export_file.h"

namespace superpose {
namespace {

// Under the names of the reference's config class; of one that was imported there is only the number of factors.
PlainDict ConfigOf(const v1::Factorization& factorization) {
  PlainDict config = {{"factors", factorization.factors()}};
  if (!factorization.has_spec()) return config;
  const v1::FactorizationSpec& spec = factorization.spec();
  config.emplace_back("theta", spec.theta());
  config.emplace_back("factor_param", spec.factor_param());
  config.emplace_back("epochs", int64_t{spec.epochs()});
  config.emplace_back("batch_size", int64_t{spec.batch_size()});
  config.emplace_back("lr", spec.lr());
  config.emplace_back("weight_decay", spec.weight_decay());
  config.emplace_back("seed", static_cast<int64_t>(spec.seed()));
  return config;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> FactorizationExporter::Export(
    const v1::ExportFactorizationRequest& request) {
  switch (request.format()) {
    case v1::FACTORIZATION_FILE_FORMAT_REFERENCE:
      return WriteReference(request.name());
    case v1::FACTORIZATION_FILE_FORMAT_UNSPECIFIED:
    case v1::FACTORIZATION_FILE_FORMAT_SAFETENSORS:
      return factorizations_->OpenFile(request.name());
    default:
      return InvalidArgument(reason::kConfigInvalid, "format has a value that this server does not know");
  }
}

absl::StatusOr<std::shared_ptr<const MappedFile>> FactorizationExporter::WriteReference(const std::string& name) {
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Factorization factorization, factorizations_->Get(name));
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, factorizations_->Open(name));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor parameter, file.Tensor("parameter"));
  return MapExport(*folder_, static_cast<int64_t>(parameter.nbytes()), [&](const std::string& path) {
    return WriteReferenceFactors(path, parameter, ConfigOf(factorization));
  });
}

}  // namespace superpose
