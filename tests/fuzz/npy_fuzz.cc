// A .npy file; one that is read is written and read again.
#include "lib/tensor_io/npy.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  const auto tensor = ReadNpy(folder.Write("in.npy", fuzz::Text(data, size)));
  fuzz::RequireHonest(tensor.status());
  if (!tensor.ok()) return 0;
  fuzz::ReadAll({{"it", *tensor}});
  const std::string again = folder.path() + "/out.npy";
  fuzz::Require(WriteNpy(again, *tensor).ok(), "it cannot be written");
  const auto read = ReadNpy(again);
  fuzz::Require(read.ok() && read->sizes() == tensor->sizes() && read->scalar_type() == tensor->scalar_type(),
                "its shape or dtype is another once written");
  return 0;
}

}  // namespace superpose
