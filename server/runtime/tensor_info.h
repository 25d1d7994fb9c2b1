#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "superpose/v1/tensor.pb.h"

namespace superpose {

v1::DataType DataTypeOf(const at::Tensor& tensor);
v1::TensorInfo DescribeTensor(const std::string& name, const at::Tensor& tensor);

}  // namespace superpose
