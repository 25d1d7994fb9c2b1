#include "client/cpp/tensor.h"

#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"

namespace superpose::client {

int64_t ElementSize(v1::DataType data_type) {
  switch (data_type) {
    case v1::DATA_TYPE_FLOAT64:
    case v1::DATA_TYPE_INT64:
      return 8;
    case v1::DATA_TYPE_FLOAT32:
    case v1::DATA_TYPE_INT32:
      return 4;
    case v1::DATA_TYPE_FLOAT16:
    case v1::DATA_TYPE_BFLOAT16:
      return 2;
    case v1::DATA_TYPE_BOOL:
      return 1;
    default:
      return 0;
  }
}

std::string DataTypeName(v1::DataType data_type) {
  switch (data_type) {
    case v1::DATA_TYPE_FLOAT32:
      return "float32";
    case v1::DATA_TYPE_FLOAT64:
      return "float64";
    case v1::DATA_TYPE_INT32:
      return "int32";
    case v1::DATA_TYPE_INT64:
      return "int64";
    case v1::DATA_TYPE_FLOAT16:
      return "float16";
    case v1::DATA_TYPE_BFLOAT16:
      return "bfloat16";
    case v1::DATA_TYPE_BOOL:
      return "bool";
    default:
      return "unknown";
  }
}

int64_t Tensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

v1::DimensionSlice Slice::ToProto() const {
  v1::DimensionSlice proto;
  if (const auto* range = std::get_if<std::pair<int64_t, int64_t>>(&selection_)) {
    proto.mutable_range()->set_start(range->first);
    proto.mutable_range()->set_stop(range->second);
  } else if (const auto* indices = std::get_if<std::vector<int64_t>>(&selection_)) {
    proto.mutable_indices()->mutable_values()->Add(indices->begin(), indices->end());
  }
  return proto;
}

absl::Status OtherElementType(v1::DataType data_type) {
  return absl::InvalidArgumentError(absl::StrCat("the tensor holds ", DataTypeName(data_type), " elements"));
}

}  // namespace superpose::client
