// A transcoder in Dunefsky's form: what a pickle says of it, beside storages that any of its tensors may use.
#include "lib/transcoder/transcoder_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/tensor_io/zip_writer.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  std::vector<ZipMember> members;
  for (const char* key : {"0", "1", "2", "3", "4"})
    members.push_back({.name = std::string("x/data/") + key, .bytes = std::string(128, '\1')});
  members.push_back({.name = "x/data.pkl", .bytes = std::string(fuzz::Text(data, size))});
  const auto file = ReadTranscoderFile({.path = folder.Write("in.pt", MakeZip(members)), .log_sparsity_path = ""});
  fuzz::RequireHonest(file.status());
  if (file.ok()) fuzz::ReadAll(file->tensors);
  return 0;
}

}  // namespace superpose
