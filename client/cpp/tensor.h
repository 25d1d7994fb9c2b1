// Tensors as plain bytes, and which part of one to read.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose::client {

// Bytes of one element; 0 for a type that is not known.
int64_t ElementSize(v1::DataType data_type);
// "float32", "bfloat16", .. ; "unknown" for a type that is not known.
std::string DataTypeName(v1::DataType data_type);

// A tensor, row-major, little-endian.
struct Tensor {
  v1::DataType data_type = v1::DATA_TYPE_UNSPECIFIED;
  std::vector<int64_t> shape;
  // ElementSize(data_type) times the product of shape.
  std::string bytes;

  int64_t elements() const;

  // The values as they are; they live as long as the tensor. INVALID_ARGUMENT when T is not its element type. T is one
  // of float, double, int32_t, int64_t.
  template <typename T>
  absl::StatusOr<absl::Span<const T>> Values() const;
};

// Which part of one dimension to read. Negative numbers and steps are not taken.
class Slice {
 public:
  // Everything.
  Slice() = default;
  // start .. stop - 1.
  static Slice Range(int64_t start, int64_t stop) { return Slice(std::pair(start, stop)); }
  // These, in this order; duplicates are allowed.
  static Slice Indices(std::vector<int64_t> indices) { return Slice(std::move(indices)); }

  v1::DimensionSlice ToProto() const;

 private:
  using Selection = std::variant<std::monostate, std::pair<int64_t, int64_t>, std::vector<int64_t>>;
  explicit Slice(Selection selection) : selection_(std::move(selection)) {}

  Selection selection_;
};

// Implementation.
absl::Status OtherElementType(v1::DataType data_type);

template <typename T>
absl::StatusOr<absl::Span<const T>> Tensor::Values() const {
  constexpr v1::DataType kType = std::is_same_v<T, float>     ? v1::DATA_TYPE_FLOAT32
                                 : std::is_same_v<T, double>  ? v1::DATA_TYPE_FLOAT64
                                 : std::is_same_v<T, int32_t> ? v1::DATA_TYPE_INT32
                                 : std::is_same_v<T, int64_t> ? v1::DATA_TYPE_INT64
                                                              : v1::DATA_TYPE_UNSPECIFIED;
  static_assert(kType != v1::DATA_TYPE_UNSPECIFIED, "float, double, int32_t or int64_t");
  if (data_type != kType) return OtherElementType(data_type);
  return absl::Span<const T>(reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T));
}

}  // namespace superpose::client
