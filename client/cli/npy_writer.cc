#include "client/cli/npy_writer.h"

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/errors.h"

namespace superpose::cli {
namespace {

constexpr size_t kAlignment = 64;
constexpr absl::string_view kMagic("\x93NUMPY\x01\x00", 8);

std::string Descriptor(v1::DataType data_type) {
  switch (data_type) {
    case v1::DATA_TYPE_FLOAT32:
      return "<f4";
    case v1::DATA_TYPE_FLOAT64:
      return "<f8";
    case v1::DATA_TYPE_INT32:
      return "<i4";
    case v1::DATA_TYPE_INT64:
      return "<i8";
    case v1::DATA_TYPE_FLOAT16:
      return "<f2";
    case v1::DATA_TYPE_BOOL:
      return "|b1";
    default:
      return "";
  }
}

// bfloat16 is the upper half of a float32.
std::string Widened(const std::string& bytes) {
  std::string wide(bytes.size() * 2, '\0');
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) std::memcpy(&wide[2 * i + 2], &bytes[i], 2);
  return wide;
}

}  // namespace

absl::StatusOr<std::string> NpyHeader(v1::DataType data_type, const std::vector<int64_t>& shape) {
  std::string descriptor = Descriptor(data_type);
  if (descriptor.empty())
    return absl::UnimplementedError(absl::StrCat(".npy has no type for ", client::DataTypeName(data_type)));
  // A tuple of one needs its comma.
  std::string sizes = absl::StrCat("(", absl::StrJoin(shape, ", "), shape.size() == 1 ? ",)" : ")");
  std::string text = absl::StrCat("{'descr': '", descriptor, "', 'fortran_order': False, 'shape': ", sizes, ", }");
  size_t unpadded = kMagic.size() + 2 + text.size() + 1;
  text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  text += '\n';
  std::string length = {static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return absl::StrCat(kMagic, length, text);
}

absl::Status WriteNpy(const client::Tensor& tensor, std::ostream* out) {
  bool widen = tensor.data_type == v1::DATA_TYPE_BFLOAT16;
  absl::StatusOr<std::string> header = NpyHeader(widen ? v1::DATA_TYPE_FLOAT32 : tensor.data_type, tensor.shape);
  if (!header.ok()) return header.status();
  *out << *header << (widen ? Widened(tensor.bytes) : tensor.bytes) << std::flush;
  return out->good() ? absl::OkStatus() : absl::DataLossError("the file could not be written: is the disk full?");
}

absl::Status SaveNpy(const client::Tensor& tensor, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  if (!file) {
    return client::MakeError(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED",
                             absl::StrCat("cannot write ", path));
  }
  absl::Status status = WriteNpy(tensor, &file);
  return status.ok() ? status : client::WithContext(status, path);
}

}  // namespace superpose::cli
