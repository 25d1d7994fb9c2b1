#include "lib/tensor_io/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_join.h"
#include "lib/base/atomic_file.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/data_types.h"
#include "lib/tensor_io/mapped_tensor.h"

namespace superpose {
namespace {

using Json = nlohmann::json;

constexpr char kMetadata[] = "__metadata__";
constexpr size_t kLengthBytes = 8;
constexpr size_t kLongestHeader = 100'000'000;  // the format's own limit
constexpr int kDeepestHeader = 4;               // header, tensor, shape
constexpr size_t kMostDimensions = 16;

template <typename... Parts>
absl::Status Corrupt(const std::string& path, const Parts&... parts) {
  return InvalidArgument(reason::kFileCorrupt, path, " is no valid safetensors file: ", parts...);
}

absl::StatusOr<absl::string_view> HeaderText(const MappedFile& file) {
  if (file.size() < kLengthBytes) return Corrupt(file.path(), "it is shorter than its header's length");
  uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kLongestHeader || length > file.size() - kLengthBytes) {
    return Corrupt(file.path(), "its header of ", length, " bytes does not fit into its ", file.size(), " bytes");
  }
  return file.text().substr(kLengthBytes, length);
}

// Refuses deep nesting and names that stand twice, which a plain parse would let through.
absl::StatusOr<Json> ParseHeader(const std::string& path, absl::string_view text) {
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  bool deep = false;
  auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kDeepestHeader) deep = true;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.empty())
      twice = twice || !keys.back().insert(parsed.get<std::string>()).second;
    return !deep && !twice;
  };
  Json header = Json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (twice) return Corrupt(path, "a name stands twice in its header");
  if (deep || header.is_discarded() || !header.is_object())
    return Corrupt(path, "its header is not the JSON object it should be");
  return header;
}

absl::StatusOr<StringMap> ParseMetadata(const std::string& path, const Json& header) {
  StringMap metadata;
  auto found = header.find(kMetadata);
  if (found == header.end()) return metadata;
  if (!found->is_object()) return Corrupt(path, kMetadata, " is no object");
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) return Corrupt(path, kMetadata, ".", key, " is no string");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

struct Entry {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> sizes;
  size_t begin;
  size_t end;
};

absl::StatusOr<std::vector<int64_t>> Integers(const std::string& path, const std::string& name, const Json& entry,
                                              const char* field) {
  auto found = entry.find(field);
  if (found == entry.end() || !found->is_array()) return Corrupt(path, name, " has no array ", field);
  std::vector<int64_t> integers;
  for (const Json& value : *found) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > INT64_MAX)
      return Corrupt(path, name, ".", field, " has a value that is no size");
    integers.push_back(value.get<int64_t>());
  }
  return integers;
}

absl::StatusOr<Entry> ParseEntry(const std::string& path, const std::string& name, const Json& json,
                                 size_t data_bytes) {
  if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string())
    return Corrupt(path, name, " has no dtype");
  std::string dtype = json["dtype"].get<std::string>();
  at::ScalarType type = TypeOfSafetensorsName(dtype);
  if (type == at::ScalarType::Undefined) {
    return InvalidArgument(reason::kFileUnsupported, path, ": tensor ", name, " has dtype ", dtype,
                           ", which is not supported");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, Integers(path, name, json, "shape"));
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<int64_t> offsets, Integers(path, name, json, "data_offsets"));
  int64_t bytes = ByteCount(sizes, type);
  if (sizes.size() > kMostDimensions || bytes < 0) return Corrupt(path, name, " has an impossible shape");
  bool inside = offsets.size() == 2 && offsets[0] <= offsets[1] && static_cast<size_t>(offsets[1]) <= data_bytes;
  if (!inside) return Corrupt(path, name, " has data_offsets outside the file's ", data_bytes, " bytes of data");
  if (bytes != offsets[1] - offsets[0]) {
    return Corrupt(path, name, " has shape [", absl::StrJoin(sizes, ", "), "] but ", offsets[1] - offsets[0], " bytes");
  }
  return Entry{name, type, std::move(sizes), static_cast<size_t>(offsets[0]), static_cast<size_t>(offsets[1])};
}

// The tensors must fill the data exactly: one after the other, with nothing between, before or behind.
absl::Status CheckCoverage(const std::string& path, std::vector<Entry>& entries, size_t data_bytes) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  size_t next = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != next)
      return Corrupt(path, entry.begin < next ? "tensors overlap at " : "there is a gap before ", entry.name);
    next = entry.end;
  }
  return next == data_bytes ? absl::OkStatus() : Corrupt(path, data_bytes - next, " bytes of data belong to no tensor");
}

absl::StatusOr<TensorMap> ReadTensors(const std::shared_ptr<const MappedFile>& file, const Json& header,
                                      size_t data_start) {
  size_t data_bytes = file->size() - data_start;
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) continue;
    SUPERPOSE_ASSIGN_OR_RETURN(Entry entry, ParseEntry(file->path(), name, json, data_bytes));
    entries.push_back(std::move(entry));
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckCoverage(file->path(), entries, data_bytes));
  TensorMap tensors;
  for (const Entry& entry : entries) {
    tensors[entry.name] = TensorOverFile(file, data_start + entry.begin, entry.type, entry.sizes);
  }
  return tensors;
}

absl::StatusOr<std::string> MakeHeader(const TensorMap& tensors, const StringMap& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata)
      return InvalidArgument(reason::kFileUnsupported, "safetensors keeps the name ", kMetadata, " for itself");
    std::string dtype = SafetensorsName(tensor.scalar_type());
    if (dtype.empty())
      return InvalidArgument(reason::kFileUnsupported, "tensor ", name, " has a dtype that safetensors cannot hold");
    header[name] = {
        {"dtype", dtype}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, offset + tensor.nbytes()}}};
    offset += tensor.nbytes();
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text != header.dump(-1, ' ', false, Json::error_handler_t::ignore)) {
    return InvalidArgument(reason::kInvalidUtf8, "a tensor's name or a metadata text is not valid UTF-8");
  }
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  return text;
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  return CatchTorch([&]() -> absl::StatusOr<SafetensorsFile> {
    SUPERPOSE_ASSIGN_OR_RETURN(absl::string_view text, HeaderText(*file));
    SUPERPOSE_ASSIGN_OR_RETURN(Json header, ParseHeader(path, text));
    SUPERPOSE_ASSIGN_OR_RETURN(StringMap metadata, ParseMetadata(path, header));
    SUPERPOSE_ASSIGN_OR_RETURN(TensorMap tensors, ReadTensors(file, header, kLengthBytes + text.size()));
    return SafetensorsFile(std::move(tensors), std::move(metadata));
  });
}

absl::StatusOr<at::Tensor> SafetensorsFile::Tensor(const std::string& name) const {
  auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  std::vector<std::string> names;
  for (auto next = tensors_.lower_bound(name.substr(0, 1)); next != tensors_.end() && names.size() < 8; ++next)
    names.push_back(next->first);
  return NotFound(reason::kTensorMissing, "no tensor ", name, " among ", tensors_.size(),
                  "; near it: ", absl::StrJoin(names, ", "));
}

absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors, const StringMap& metadata,
                              const KeepWriting& keep_writing) {
  return CatchTorch([&]() -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(std::string header, MakeHeader(tensors, metadata));
    SUPERPOSE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
    uint64_t length = header.size();
    SUPERPOSE_RETURN_IF_ERROR(file.Write(&length, sizeof length));
    SUPERPOSE_RETURN_IF_ERROR(file.Write(header));
    for (const auto& [name, tensor] : tensors) {
      if (keep_writing != nullptr) SUPERPOSE_RETURN_IF_ERROR(keep_writing());
      at::Tensor bytes = tensor.detach().to(at::kCPU).contiguous();
      SUPERPOSE_RETURN_IF_ERROR(file.Write(bytes.data_ptr(), bytes.nbytes()));
    }
    return file.Commit();
  });
}

}  // namespace superpose
