#include "server/factorization_files/factorization_importer.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/reference_factors.h"
#include "lib/tensor_io/content_hash.h"
#include "server/factorization_files/factorization_tensors.h"
#include "server/jobs/artifact_description.h"
#include "server/runtime/spec_checks.h"
#include "server/uploads/import_upload.h"

namespace superpose {
namespace {

constexpr char kReferenceFile[] = "reference .pt";
constexpr char kOwnForm[] = "safetensors";

// Of a .pt: what may lie there with half of the bits as float32, twice, as parameter and as factors. Our own form stays
// mapped.
constexpr int64_t kCopiesOfReference = 4;

ArtifactRequest RequestOf(const v1::ImportFactorizationRequest& request) {
  std::string asked = request.upload();
  const std::map<std::string, std::string> labels(request.labels().begin(), request.labels().end());
  for (const auto& [key, value] : labels) {
    absl::StrAppend(&asked, "\n", key.size(), ":", key, "\n", value.size(), ":", value);
  }
  return {request.request_id(), Sha256Hex(asked)};
}

}  // namespace

absl::StatusOr<v1::Factorization> FactorizationImporter::Import(const v1::ImportFactorizationRequest& request,
                                                                const std::string& owner) {
  const ArtifactRequest id = RequestOf(request);
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Factorization> made, parts_.factorizations->MadeByRequest(owner, id));
  if (!made.has_value()) {
    SUPERPOSE_ASSIGN_OR_RETURN(made, ImportNew(request, owner, id));
  }
  parts_.uploads->Remove(request.upload()).IgnoreError();  // else it goes after a week
  return *std::move(made);
}

absl::StatusOr<v1::Factorization> FactorizationImporter::ImportNew(const v1::ImportFactorizationRequest& request,
                                                                   const std::string& owner,
                                                                   const ArtifactRequest& id) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string path, parts_.uploads->PathOf(request.upload()));
  const bool is_reference = IsZip(path);
  SUPERPOSE_ASSIGN_OR_RETURN(const MemoryReservation memory,
                             ReserveForImport(is_reference ? parts_.budget : nullptr, parts_.uploads, request.upload(),
                                              kCopiesOfReference, "importing this factorization"));
  SUPERPOSE_ASSIGN_OR_RETURN(Content content, is_reference ? ReadReference(path) : ReadOwnForm(path));
  content.facts.set_owner(owner);
  for (const auto& [key, value] : request.labels()) (*content.facts.mutable_labels())[key] = value;
  SUPERPOSE_RETURN_IF_ERROR(CheckLabels(content.facts.labels()));
  return parts_.factorizations->AddImported(std::move(content.facts), content.tensors, id, parts_.clock->Now());
}

absl::StatusOr<FactorizationImporter::Content> FactorizationImporter::ReadReference(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const ReferenceFactors file, ReadReferenceFactors(path));
  Content content;
  content.facts.set_factors(file.factors.size(0));
  content.facts.set_width(file.factors.size(1));
  content.facts.set_imported_from(kReferenceFile);
  content.tensors = {{"factors", file.factors}, {"parameter", file.parameter}};
  return content;
}

absl::StatusOr<FactorizationImporter::Content> FactorizationImporter::ReadOwnForm(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  Content content;
  SUPERPOSE_RETURN_IF_ERROR(ReadDescription(file.metadata(), "factorization", &content.facts));
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&]() -> absl::Status {
    SUPERPOSE_RETURN_IF_ERROR(CheckFactorizationTensors(content.facts, file.tensors()));
    if (ContentHash(file.tensors()) == content.facts.content_hash()) return absl::OkStatus();
    return InvalidArgument(reason::kFileCorrupt,
                           "the file's tensors do not have the content hash that it gives: it was changed");
  }));
  content.tensors = file.tensors();
  content.facts.clear_job();
  content.facts.set_imported_from(kOwnForm);
  return content;
}

}  // namespace superpose
