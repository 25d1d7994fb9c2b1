// What the analysis of a snapshot, of directions or of a factorization found.
#pragma once

#include <map>
#include <string>

#include "client/cpp/tensor.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose::client {

struct AnalysisAnswer {
  // The question with every default filled in, what it was computed from, single figures, how many values are not
  // defined, and what the tensors are. Their bytes are in `tensors` alone.
  v1::AnalysisResult result;
  // The tensors by name, NaN where something is not defined.
  std::map<std::string, Tensor> tensors;
};

// Whether a question is one to a snapshot; all others go to directions or to a factorization.
bool AsksSnapshot(const v1::AnalysisSpec& spec);

}  // namespace superpose::client
