#include "lib/tensor_io/pytorch_file.h"

#include <ATen/ATen.h>

#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/unpickler.h"

namespace superpose {
namespace {

// torch.save puts everything into one folder of the archive, whose name is the file's: "{folder}/data.pkl",
// "{folder}/data/0" ..
absl::StatusOr<std::string> FolderOf(const ZipArchive& archive) {
  constexpr absl::string_view kPickle = "/data.pkl";
  for (const auto& [name, entry] : archive.entries()) {
    if (absl::EndsWith(name, kPickle)) return name.substr(0, name.size() - kPickle.size());
  }
  return InvalidArgument(reason::kFileCorrupt, archive.file()->path(), " is no PyTorch checkpoint: it has no data.pkl");
}

}  // namespace

absl::StatusOr<PickleDocument> ReadPytorchFile(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  constexpr absl::string_view kPickleStart = "\x80";
  if (absl::StartsWith(file->text(), kPickleStart)) {
    return InvalidArgument(
        reason::kFileUnsupported, path,
        " is a bare pickle, as torch.save wrote before PyTorch 1.6: ", "save it once more with today's torch.save");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(ZipArchive archive, ZipArchive::Open(std::move(file)));
  SUPERPOSE_ASSIGN_OR_RETURN(std::string folder, FolderOf(archive));
  if (archive.entries().count(folder + "/byteorder") > 0) {
    SUPERPOSE_ASSIGN_OR_RETURN(absl::string_view byte_order, archive.Read(folder + "/byteorder"));
    if (byte_order != "little") {
      return InvalidArgument(reason::kFileUnsupported, path, " was written on a big-endian machine");
    }
  }
  SUPERPOSE_ASSIGN_OR_RETURN(absl::string_view pickle, archive.Read(folder + "/data.pkl"));
  return CatchTorch([&] { return Unpickler(archive, folder + "/data/", pickle).Run(); });
}

absl::StatusOr<TensorMap> TensorsOf(const PickleValue& value) {
  const auto* dict = std::get_if<const PickleDict*>(&value);
  if (dict == nullptr) return InvalidArgument(reason::kFileUnsupported, "a mapping of names to tensors was expected");
  TensorMap tensors;
  for (const auto& [key, item] : (*dict)->items) {
    const auto* name = std::get_if<std::string>(&key);
    const auto* tensor = std::get_if<at::Tensor>(&item);
    if (name == nullptr || tensor == nullptr) {
      return InvalidArgument(reason::kFileUnsupported, "a mapping of names to tensors was expected; ",
                             name ? *name : "a key", " is something else");
    }
    tensors[*name] = *tensor;
  }
  return tensors;
}

}  // namespace superpose
