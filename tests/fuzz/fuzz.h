// What the fuzz targets share. Each has one function LLVMFuzzerTestOneInput, which is handed any bytes and must return:
// libFuzzer takes a crash, a leak, a hang and too much memory for a finding, and so do the checks below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose::fuzz {

// The input as text.
absl::string_view Text(const uint8_t* data, size_t size);

// For formats of two files: the first byte times 256 and the second give the length of the first file, which follows;
// the rest is the second.
std::pair<absl::string_view, absl::string_view> TwoFiles(absl::string_view input);

// A folder of this process, removed at its end.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();

  std::string path() const { return path_.string(); }
  std::string Write(const std::string& name, absl::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

// Ends the process unless `held`.
void Require(bool held, absl::string_view what);

// A file can be wrong in many ways, but each has a reason, and none is a failure of the program's own.
void RequireHonest(const absl::Status& status);

// Reads every byte of them.
void ReadAll(const TensorMap& tensors);

}  // namespace superpose::fuzz
