#include "lib/transcoder/transcoder_file.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/file_type.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/pytorch_file.h"
#include "lib/transcoder/dunefsky.h"
#include "lib/transcoder/saelens.h"
#include "lib/transcoder/tensor_checks.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

absl::Status UnknownFolder(const std::string& folder) {
  constexpr size_t kMostNames = 10;
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end && names.size() < kMostNames;
       entry.increment(error)) {
    names.insert(entry->path().filename().string());
  }
  if (error) return NotFound(reason::kFileNotFound, "cannot read ", folder, ": ", error.message());
  return FailedPrecondition(reason::kTranscoderUnsupported, folder, " is no transcoder that is known: cfg.json with ",
                            "sae_weights.safetensors (SAELens) would be one; it has ",
                            names.empty() ? "nothing" : absl::StrJoin(names, ", "));
}

absl::StatusOr<at::Tensor> ReadLogSparsity(const std::string& path) {
  if (absl::EndsWith(path, ".safetensors")) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
    return file.Tensor("sparsity");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const PickleDocument document, ReadPytorchFile(path));
  const auto* tensor = std::get_if<at::Tensor>(&document.root());
  if (tensor != nullptr) return *tensor;
  return InvalidArgument(reason::kFileUnsupported, "it holds no tensor of log10 feature frequencies");
}

absl::Status AddLogSparsity(const std::string& path, TranscoderFile& file) {
  auto tensor = ReadLogSparsity(path);
  if (!tensor.ok()) return WithContext(tensor.status(), path);
  const absl::Status checked =
      CheckTensor({{"log_sparsity", *tensor}}, "log_sparsity", {file.tensors.at("b_enc").numel()});
  if (!checked.ok()) return WithContext(checked, path);
  file.tensors["log_sparsity"] = *std::move(tensor);
  return absl::OkStatus();
}

absl::StatusOr<TranscoderFile> ReadByFileSet(const TranscoderFiles& files) {
  SUPERPOSE_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf(files.path));
  if (type == fs::file_type::directory) {
    SUPERPOSE_ASSIGN_OR_RETURN(const bool is_saelens, IsSaeLensFolder(files.path));
    if (!is_saelens) return UnknownFolder(files.path);
    return ReadSaeLens(files.path);
  }
  if (absl::EndsWith(files.path, ".safetensors")) {
    return FailedPrecondition(reason::kTranscoderUnsupported, files.path,
                              " alone does not say what it computes: give the SAELens folder with its cfg.json");
  }
  return ReadDunefsky(files.path);
}

// Of the frequencies that SAELens puts beside the weights; "" where there are none.
absl::StatusOr<std::string> FindLogSparsity(const TranscoderFiles& files, const std::string& format) {
  if (!files.log_sparsity_path.empty() || format != "saelens") return files.log_sparsity_path;
  const std::string beside = (fs::path(files.path) / "sparsity.safetensors").string();
  SUPERPOSE_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf(beside));
  return type == fs::file_type::not_found ? "" : beside;
}

}  // namespace

absl::StatusOr<TranscoderFile> ReadTranscoderFile(const TranscoderFiles& files) {
  return CatchTorch([&]() -> absl::StatusOr<TranscoderFile> {
    SUPERPOSE_ASSIGN_OR_RETURN(TranscoderFile file, ReadByFileSet(files));
    SUPERPOSE_ASSIGN_OR_RETURN(const std::string sparsity, FindLogSparsity(files, file.format));
    if (!sparsity.empty()) SUPERPOSE_RETURN_IF_ERROR(AddLogSparsity(sparsity, file));
    return file;
  });
}

}  // namespace superpose
