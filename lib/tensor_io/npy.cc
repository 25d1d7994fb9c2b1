#include "lib/tensor_io/npy.h"

#include <ATen/ATen.h>

#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/atomic_file.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/mapped_tensor.h"

namespace superpose {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kLongestHeader = 10'000;  // numpy.load's own limit
constexpr size_t kMostDimensions = 64;     // NumPy's own limit

const std::map<std::string, at::ScalarType>& Types() {
  static const std::map<std::string, at::ScalarType> types = {
      {"<f8", at::kDouble}, {"<f4", at::kFloat},  {"<f2", at::kHalf},   {"<i8", at::kLong},
      {"<i4", at::kInt},    {"<i2", at::kShort},  {"|i1", at::kChar},   {"|u1", at::kByte},
      {"<u2", at::kUInt16}, {"<u4", at::kUInt32}, {"<u8", at::kUInt64}, {"|b1", at::kBool}};
  return types;
}

template <typename... Parts>
absl::Status Corrupt(const std::string& path, const Parts&... parts) {
  return InvalidArgument(reason::kFileCorrupt, path, " is no valid .npy file: ", parts...);
}

template <typename... Parts>
absl::Status Unsupported(const std::string& path, const Parts&... parts) {
  return InvalidArgument(reason::kFileUnsupported, path, ": ", parts...);
}

// The header's text, a Python dict: it stands between its length and the data.
absl::StatusOr<absl::string_view> HeaderText(const MappedFile& file, size_t* data_start) {
  absl::string_view text = file.text();
  if (text.size() < 8 || text.substr(0, kMagic.size()) != kMagic) {
    return Corrupt(file.path(), "it does not begin with \\x93NUMPY and a version");
  }
  uint8_t version = file.data()[6];
  if (version < 1 || version > 3)
    return Unsupported(file.path(), ".npy format version ", version, "; 1 to 3 are known");
  size_t length_bytes = version == 1 ? 2 : 4;
  uint32_t length = 0;
  if (text.size() < 8 + length_bytes) return Corrupt(file.path(), "it ends inside its header");
  std::memcpy(&length, file.data() + 8, length_bytes);
  *data_start = 8 + length_bytes + length;
  if (*data_start > text.size()) return Corrupt(file.path(), "it ends inside its header");
  if (length > kLongestHeader) return Corrupt(file.path(), "its header of ", length, " bytes is too long");
  return text.substr(8 + length_bytes, length);
}

bool TakeToken(absl::string_view* text, absl::string_view token) {
  *text = absl::StripLeadingAsciiWhitespace(*text);
  return absl::ConsumePrefix(text, token);
}

// What stands between `open` and the next `close`.
std::optional<absl::string_view> TakeBetween(absl::string_view* text, absl::string_view open, absl::string_view close) {
  if (!TakeToken(text, open)) return std::nullopt;
  size_t end = text->find(close);
  if (end == absl::string_view::npos) return std::nullopt;
  absl::string_view inside = text->substr(0, end);
  text->remove_prefix(end + close.size());
  return inside;
}

std::optional<std::vector<int64_t>> TakeShape(absl::string_view* text) {
  auto inside = TakeBetween(text, "(", ")");
  if (!inside) return std::nullopt;
  std::vector<int64_t> sizes;
  for (absl::string_view part : absl::StrSplit(*inside, ',', absl::SkipWhitespace())) {
    int64_t size = -1;
    if (!absl::SimpleAtoi(part, &size) || size < 0 || sizes.size() == kMostDimensions) return std::nullopt;
    sizes.push_back(size);
  }
  return sizes;
}

struct Header {
  std::optional<absl::string_view> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> sizes;
};

bool TakeField(absl::string_view* text, Header* header) {
  auto key = TakeBetween(text, "'", "'");
  if (!key || !TakeToken(text, ":")) return false;
  if (*key == "descr" && !header->descr) return (header->descr = TakeBetween(text, "'", "'")).has_value();
  if (*key == "shape" && !header->sizes) return (header->sizes = TakeShape(text)).has_value();
  if (*key != "fortran_order" || header->fortran_order) return false;
  header->fortran_order = TakeToken(text, "True");
  return *header->fortran_order || TakeToken(text, "False");
}

// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
std::optional<Header> ParseHeader(absl::string_view text) {
  Header header;
  if (!TakeToken(&text, "{")) return std::nullopt;
  while (!TakeToken(&text, "}")) {
    if (!TakeField(&text, &header)) return std::nullopt;
    if (!TakeToken(&text, ",") && !absl::StartsWith(text, "}")) return std::nullopt;
  }
  bool complete = header.descr && header.fortran_order && header.sizes;
  return complete && absl::StripLeadingAsciiWhitespace(text).empty() ? std::optional(header) : std::nullopt;
}

}  // namespace

absl::StatusOr<NpyLayout> OpenNpy(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  size_t data_start = 0;
  SUPERPOSE_ASSIGN_OR_RETURN(absl::string_view text, HeaderText(*file, &data_start));
  if (absl::StrContains(text, "'descr': [")) return Unsupported(path, "structured arrays are not supported");
  std::optional<Header> header = ParseHeader(text);
  if (!header) return Corrupt(path, "its header is not {'descr': '..', 'fortran_order': .., 'shape': (..)}");
  auto type = Types().find(std::string(*header->descr));
  if (type == Types().end()) {
    return Unsupported(path, "dtype ", *header->descr, " is not supported; save little-endian numbers or booleans");
  }
  if (*header->fortran_order && header->sizes->size() > 1) {
    return Unsupported(path, "the array is in Fortran order; save numpy.ascontiguousarray(a)");
  }
  size_t data_bytes = file->size() - data_start;
  int64_t bytes = ByteCount(*header->sizes, type->second);
  if (bytes < 0 || static_cast<size_t>(bytes) != data_bytes) {
    return Corrupt(path, "its shape (", absl::StrJoin(*header->sizes, ", "), ") does not match its ", data_bytes,
                   " bytes of data");
  }
  return NpyLayout{std::move(file), data_start, type->second, *std::move(header->sizes)};
}

absl::StatusOr<at::Tensor> ReadNpy(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const NpyLayout layout, OpenNpy(path));
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    return TensorOverFile(layout.file, layout.data_start, layout.type, layout.sizes);
  });
}

absl::Status WriteNpy(const std::string& path, const at::Tensor& tensor) {
  std::string descr;
  for (const auto& [name, type] : Types()) {
    if (type == tensor.scalar_type()) descr = name;
  }
  if (descr.empty()) return Unsupported(path, "a .npy file cannot hold this dtype");
  std::string shape = absl::StrJoin(tensor.sizes(), ", ");
  if (tensor.dim() == 1) shape += ',';
  std::string header = absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", shape, "), }");
  constexpr size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  uint16_t length = static_cast<uint16_t>(header.size());
  return CatchTorch([&]() -> absl::Status {
    at::Tensor bytes = tensor.detach().to(at::kCPU).contiguous();
    SUPERPOSE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
    SUPERPOSE_RETURN_IF_ERROR(file.Write(absl::string_view("\x93NUMPY\x01\x00", 8)));
    SUPERPOSE_RETURN_IF_ERROR(file.Write(&length, sizeof length));
    SUPERPOSE_RETURN_IF_ERROR(file.Write(header));
    SUPERPOSE_RETURN_IF_ERROR(file.Write(bytes.data_ptr(), bytes.nbytes()));
    return file.Commit();
  });
}

}  // namespace superpose
