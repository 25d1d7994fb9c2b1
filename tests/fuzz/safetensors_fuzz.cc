// A .safetensors file; one that opens is written and read again.
#include "lib/base/error.h"
#include "lib/tensor_io/content_hash.h"
#include "lib/tensor_io/safetensors.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  const auto file = SafetensorsFile::Open(folder.Write("in.safetensors", fuzz::Text(data, size)));
  fuzz::RequireHonest(file.status());
  if (!file.ok()) return 0;
  const std::string again = folder.path() + "/out.safetensors";
  fuzz::Require(WriteSafetensors(again, file->tensors(), file->metadata()).ok(), "it cannot be written");
  const auto read = SafetensorsFile::Open(again);
  fuzz::Require(read.ok() && read->metadata() == file->metadata(), "its metadata is another once written");
  fuzz::Require(ContentHash(read->tensors()) == ContentHash(file->tensors()), "its tensors are others once written");
  return 0;
}

}  // namespace superpose
