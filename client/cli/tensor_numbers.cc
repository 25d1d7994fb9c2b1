#include "client/cli/tensor_numbers.h"

#include <cstdint>

namespace superpose::cli {
namespace {

template <typename T>
std::vector<double> Widened(const client::Tensor& tensor) {
  const absl::StatusOr<absl::Span<const T>> values = tensor.Values<T>();
  return values.ok() ? std::vector<double>(values->begin(), values->end()) : std::vector<double>();
}

}  // namespace

std::vector<double> NumbersOf(const client::Tensor& tensor) {
  switch (tensor.data_type) {
    case v1::DATA_TYPE_FLOAT32:
      return Widened<float>(tensor);
    case v1::DATA_TYPE_FLOAT64:
      return Widened<double>(tensor);
    case v1::DATA_TYPE_INT32:
      return Widened<int32_t>(tensor);
    case v1::DATA_TYPE_INT64:
      return Widened<int64_t>(tensor);
    default:
      return {};
  }
}

}  // namespace superpose::cli
