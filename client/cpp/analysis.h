// What the analysis of a snapshot found.
#pragma once

#include <map>
#include <string>

#include "client/cpp/tensor.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose::client {

struct AnalysisAnswer {
  // The question with every default filled in, what the snapshot was computed from, single figures, how many values are
  // not defined, and what the tensors are. Their bytes are in `tensors` alone.
  v1::AnalysisResult result;
  // The tensors by name, NaN where something is not defined.
  std::map<std::string, Tensor> tensors;
};

}  // namespace superpose::client
