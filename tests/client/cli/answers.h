// Answers of analyses as a test makes them up.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "client/cpp/analysis.h"

namespace superpose::cli {

// Puts a tensor into the answer; one dimension where no shape is given.
template <typename T>
void PutTensor(const std::string& name, const std::vector<T>& values, client::AnalysisAnswer* answer,
               std::vector<int64_t> shape = {}) {
  client::Tensor tensor;
  tensor.data_type = std::is_same_v<T, double>    ? v1::DATA_TYPE_FLOAT64
                     : std::is_same_v<T, float>   ? v1::DATA_TYPE_FLOAT32
                     : std::is_same_v<T, int32_t> ? v1::DATA_TYPE_INT32
                                                  : v1::DATA_TYPE_INT64;
  tensor.shape = shape.empty() ? std::vector<int64_t>{static_cast<int64_t>(values.size())} : std::move(shape);
  tensor.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  v1::TensorInfo* info = answer->result.add_tensors()->mutable_info();
  info->set_name(name);
  info->set_data_type(tensor.data_type);
  info->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  answer->tensors[name] = std::move(tensor);
}

}  // namespace superpose::cli
