#include "lib/tensor_io/npy.h"

#include <ATen/ATen.h>

#include <cstring>
#include <map>
#include <regex>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/atomic_file.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/mapped_tensor.h"

namespace superpose {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kLongestHeader = 65536;

const std::map<std::string, at::ScalarType>& Types() {
  static const std::map<std::string, at::ScalarType> types = {
      {"<f8", at::kDouble}, {"<f4", at::kFloat}, {"<f2", at::kHalf},    {"<i8", at::kLong},   {"<i4", at::kInt},    {"<i2", at::kShort},
      {"|i1", at::kChar},   {"|u1", at::kByte},  {"<u2", at::kUInt16}, {"<u4", at::kUInt32}, {"<u8", at::kUInt64}, {"|b1", at::kBool}};
  return types;
}

template <typename... Parts>
absl::Status Corrupt(const std::string& path, const Parts&... parts) {
  return InvalidArgument(reason::kFileCorrupt, path, " is no valid .npy file: ", parts...);
}

struct Header {
  at::ScalarType type;
  std::vector<int64_t> sizes;
  size_t data_start;
};

// The header's text: a Python dict literal between the version's length field and the data.
absl::StatusOr<std::string> HeaderText(const MappedFile& file, size_t* data_start) {
  absl::string_view text = file.text();
  if (text.size() < 10 || text.substr(0, kMagic.size()) != kMagic) return Corrupt(file.path(), "it does not begin with \\x93NUMPY");
  uint8_t version = file.data()[6];
  if (version < 1 || version > 3) return InvalidArgument(reason::kFileUnsupported, file.path(), ": .npy format version ", version);
  size_t length_bytes = version == 1 ? 2 : 4;
  uint32_t length = 0;
  if (text.size() < 8 + length_bytes) return Corrupt(file.path(), "it ends inside its header");
  std::memcpy(&length, file.data() + 8, length_bytes);
  *data_start = 8 + length_bytes + length;
  if (length > kLongestHeader || *data_start > text.size()) return Corrupt(file.path(), "it ends inside its header");
  return std::string(text.substr(8 + length_bytes, length));
}

absl::StatusOr<std::vector<int64_t>> ParseShape(const std::string& path, const std::string& list) {
  std::vector<int64_t> sizes;
  for (absl::string_view part : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    int64_t size = -1;
    if (!absl::SimpleAtoi(part, &size) || size < 0) return Corrupt(path, "its shape is (", list, ")");
    sizes.push_back(size);
  }
  return sizes;
}

absl::StatusOr<Header> ParseHeader(const MappedFile& file) {
  static const std::regex kDescr("'descr'\\s*:\\s*'([^']*)'");
  static const std::regex kOrder("'fortran_order'\\s*:\\s*(True|False)");
  static const std::regex kShape("'shape'\\s*:\\s*\\(([0-9,\\s]*)\\)");
  Header header;
  SUPERPOSE_ASSIGN_OR_RETURN(std::string text, HeaderText(file, &header.data_start));
  std::smatch descr, order, shape;
  bool complete = std::regex_search(text, descr, kDescr) && std::regex_search(text, order, kOrder) && std::regex_search(text, shape, kShape);
  if (!complete) return Corrupt(file.path(), "its header lacks a plain descr, fortran_order or shape");
  auto type = Types().find(descr[1]);
  if (type == Types().end()) {
    return InvalidArgument(reason::kFileUnsupported, file.path(), ": dtype ", descr[1].str(), " is not supported; save little-endian numbers");
  }
  header.type = type->second;
  SUPERPOSE_ASSIGN_OR_RETURN(header.sizes, ParseShape(file.path(), shape[1]));
  if (order[1] == "True" && header.sizes.size() > 1) {
    return InvalidArgument(reason::kFileUnsupported, file.path(), " is in Fortran order; save numpy.ascontiguousarray(a)");
  }
  return header;
}

}  // namespace

absl::StatusOr<at::Tensor> ReadNpy(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  SUPERPOSE_ASSIGN_OR_RETURN(Header header, ParseHeader(*file));
  int64_t count = ElementCount(header.sizes);
  int64_t bytes = 0;
  bool overflow = count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(c10::elementSize(header.type)), &bytes);
  if (overflow || static_cast<uint64_t>(bytes) != file->size() - header.data_start) {
    return Corrupt(path, "its shape (", absl::StrJoin(header.sizes, ", "), ") does not match its ", file->size() - header.data_start, " bytes of data");
  }
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    return TensorOverFile(file, header.data_start, header.type, header.sizes, ContiguousStrides(header.sizes));
  });
}

absl::Status WriteNpy(const std::string& path, const at::Tensor& tensor) {
  std::string descr;
  for (const auto& [name, type] : Types()) {
    if (type == tensor.scalar_type()) descr = name;
  }
  if (descr.empty()) return InvalidArgument(reason::kFileUnsupported, "a .npy file cannot hold this dtype");
  std::string shape = absl::StrJoin(tensor.sizes(), ", ");
  if (tensor.dim() == 1) shape += ",";
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
