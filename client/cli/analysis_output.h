// The answer of an analysis for programs: JSON, NumPy files.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/analysis.h"

namespace superpose::cli {

// Paths of the tensors' files by the tensors' names.
using TensorFiles = std::map<std::string, std::string>;

// Writes the tensor `main_tensor` to `output` where that ends in .npy, else every tensor to a file of its own,
// NAME.npy, in the folder `output`, which is made. FAILED_PRECONDITION / FILE_WRITE_FAILED, NOT_FOUND / TENSOR_MISSING.
absl::StatusOr<TensorFiles> WriteTensors(const client::AnalysisAnswer& answer, const std::string& main_tensor,
                                         const std::string& output);

// The contract's AnalysisResult, where tensors are an object by name: arrays, of arrays where they have two dimensions;
// NaN is null. Or, for those in `files`, {"file", "data_type", "shape"}; with files the others are left out.
std::string AnswerToJson(const client::AnalysisAnswer& answer, const TensorFiles& files);

}  // namespace superpose::cli
