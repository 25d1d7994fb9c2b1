#include "tests/fuzz/fuzz.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/tensor_io/content_hash.h"

namespace superpose::fuzz {

absl::string_view Text(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

std::pair<absl::string_view, absl::string_view> TwoFiles(absl::string_view input) {
  if (input.size() < 2) return {};
  const size_t length = static_cast<uint8_t>(input[0]) * size_t{256} + static_cast<uint8_t>(input[1]);
  input.remove_prefix(2);
  return {input.substr(0, length), input.substr(std::min(length, input.size()))};
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "superpose_fuzz_XXXXXX").string();
  Require(mkdtemp(name.data()) != nullptr, "no temporary folder");
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::Write(const std::string& name, absl::string_view bytes) const {
  const std::string path = (path_ / name).string();
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

void Require(bool held, absl::string_view what) {
  if (held) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

void RequireHonest(const absl::Status& status) {
  if (status.ok()) return;
  const absl::StatusCode code = status.code();
  const bool of_input = code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kNotFound ||
                        code == absl::StatusCode::kFailedPrecondition;
  Require(of_input && !ReasonOf(status).empty(), absl::StrCat("no error of a file: ", status.ToString()));
}

void ReadAll(const TensorMap& tensors) { Require(!ContentHash(tensors).empty(), "no hash"); }

}  // namespace superpose::fuzz
