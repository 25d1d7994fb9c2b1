#include "lib/tensor_io/pytorch_file.h"

#include <ATen/ATen.h>

#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/unpickler.h"

namespace superpose {
namespace {

// torch.save puts everything into one folder of the archive, whose name is the file's: "{folder}/data.pkl", "{folder}/data/0" ..
absl::StatusOr<std::string> FolderOf(const ZipArchive& archive) {
  constexpr absl::string_view kPickle = "/data.pkl";
  for (const auto& [name, entry] : archive.entries()) {
    if (absl::EndsWith(name, kPickle)) return name.substr(0, name.size() - kPickle.size());
  }
  return InvalidArgument(reason::kFileCorrupt, archive.file()->path(), " is no PyTorch checkpoint: it has no data.pkl");
}

absl::string_view BytesOf(const ZipArchive& archive, const ZipEntry& entry) { return archive.file()->text().substr(entry.offset, entry.size); }

}  // namespace

absl::StatusOr<PickleDocument> ReadPytorchFile(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  SUPERPOSE_ASSIGN_OR_RETURN(ZipArchive archive, ZipArchive::Open(std::move(file)));
  SUPERPOSE_ASSIGN_OR_RETURN(std::string folder, FolderOf(archive));
  auto byte_order = archive.entries().find(folder + "/byteorder");
  if (byte_order != archive.entries().end() && BytesOf(archive, byte_order->second) != "little") {
    return InvalidArgument(reason::kFileUnsupported, path, " was written on a big-endian machine");
  }
  absl::string_view pickle = BytesOf(archive, archive.entries().at(folder + "/data.pkl"));
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
      return InvalidArgument(reason::kFileUnsupported, "a mapping of names to tensors was expected; ", name ? *name : "a key", " is something else");
    }
    tensors[*name] = *tensor;
  }
  return tensors;
}

}  // namespace superpose
