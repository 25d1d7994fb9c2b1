// A pickle in an archive that is sound, beside the storages "0" and "1": a mutated zip rarely comes as far as its
// pickle.
#include "lib/tensor_io/pytorch_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/tensor_io/zip_writer.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  const std::string pickle(fuzz::Text(data, size));
  const std::string archive = MakeZip({{.name = "x/data/0", .bytes = std::string(64, '\1')},
                                       {.name = "x/data/1", .bytes = "odd"},
                                       {.name = "x/data.pkl", .bytes = pickle}});
  const auto document = ReadPytorchFile(folder.Write("in.pt", archive));
  fuzz::RequireHonest(document.status());
  if (!document.ok()) return 0;
  const auto tensors = TensorsOf(document->root());
  fuzz::RequireHonest(tensors.status());
  if (tensors.ok()) fuzz::ReadAll(*tensors);
  return 0;
}

}  // namespace superpose
