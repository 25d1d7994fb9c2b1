#include "lib/tensor_io/pytorch_writer.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>

#include "absl/strings/str_cat.h"
#include "lib/base/atomic_file.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/pickle_writer.h"

namespace superpose {
namespace {

void WriteRecords(const std::string& pickle, const CheckpointDict& content,
                  caffe2::serialize::PyTorchStreamWriter* writer) {
  writer->writeRecord("data.pkl", pickle.data(), pickle.size());
  writer->writeRecord("byteorder", "little", 6);
  int64_t storage = 0;
  for (const auto& [key, part] : content) {
    const auto* tensors = std::get_if<NamedTensors>(&part);
    if (tensors == nullptr) continue;
    for (const auto& [name, tensor] : *tensors) {
      const at::Tensor flat = tensor.contiguous().cpu();
      writer->writeRecord(absl::StrCat("data/", storage++), flat.data_ptr(), flat.nbytes());
    }
  }
  writer->writeEndOfFile();
}

}  // namespace

absl::Status WritePytorchFile(const std::string& path, const CheckpointDict& content) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string pickle, PickleCheckpoint(content));
  SUPERPOSE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  absl::Status written;
  // PyTorch's writer must not see that a write failed: it would throw, and once more from its destructor, which ends
  // the process.
  const auto take = [&](const void* data, size_t size) -> size_t {
    if (written.ok()) written = file.Write(data, size);
    return size;
  };
  const absl::Status status = CatchTorch([&] {
    caffe2::serialize::PyTorchStreamWriter writer(take);
    WriteRecords(pickle, content, &writer);
    return absl::OkStatus();
  });
  SUPERPOSE_RETURN_IF_ERROR(written);
  SUPERPOSE_RETURN_IF_ERROR(status);
  return file.Commit();
}

}  // namespace superpose
