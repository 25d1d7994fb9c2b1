#pragma once

#include <vector>

#include "client/cpp/tensor.h"

namespace superpose::cli {

// The values of a float32, float64, int32 or int64 tensor, row after row; none for another type.
std::vector<double> NumbersOf(const client::Tensor& tensor);

}  // namespace superpose::cli
