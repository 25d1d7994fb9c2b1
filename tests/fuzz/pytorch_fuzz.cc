// A PyTorch checkpoint: the zip archive and the pickle in it.
#include "lib/tensor_io/pytorch_file.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  const auto document = ReadPytorchFile(folder.Write("in.pt", fuzz::Text(data, size)));
  fuzz::RequireHonest(document.status());
  if (!document.ok()) return 0;
  const auto* root = std::get_if<const PickleDict*>(&document->root());
  const PickleValue* state = root == nullptr ? nullptr : (*root)->Find("state_dict");
  const auto tensors = TensorsOf(state == nullptr ? document->root() : *state);
  fuzz::RequireHonest(tensors.status());
  if (tensors.ok()) fuzz::ReadAll(*tensors);
  return 0;
}

}  // namespace superpose
