#include "server/runtime/tensor_info.h"

namespace superpose {

v1::DataType DataTypeOf(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return v1::DATA_TYPE_FLOAT32;
    case at::kDouble:
      return v1::DATA_TYPE_FLOAT64;
    case at::kInt:
      return v1::DATA_TYPE_INT32;
    case at::kLong:
      return v1::DATA_TYPE_INT64;
    case at::kHalf:
      return v1::DATA_TYPE_FLOAT16;
    case at::kBFloat16:
      return v1::DATA_TYPE_BFLOAT16;
    case at::kBool:
      return v1::DATA_TYPE_BOOL;
    default:
      return v1::DATA_TYPE_UNSPECIFIED;
  }
}

v1::TensorInfo DescribeTensor(const std::string& name, const at::Tensor& tensor) {
  v1::TensorInfo info;
  info.set_name(name);
  info.set_data_type(DataTypeOf(tensor));
  for (int64_t size : tensor.sizes()) info.add_shape(size);
  return info;
}

}  // namespace superpose
