// From what the server holds to what the contract shows.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/sparse_activations.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/tensor_info.h"
#include "superpose/v1/corpus.pb.h"
#include "superpose/v1/model.pb.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose {

v1::Transcoder DescribeTranscoder(const LoadedTranscoder& transcoder);
v1::Model DescribeModel(const LoadedModel& model);
v1::Corpus DescribeCorpus(const LoadedCorpus& corpus);
// Of a result that no transcoder and no corpus took part in.
v1::Provenance DescribeProvenance(const LoadedModel& model);
// `corpus` may be null.
v1::Provenance DescribeProvenance(const LoadedModel& model, const LoadedTranscoder& transcoder,
                                  const LoadedCorpus* corpus);
// The tensors must lie on the CPU.
v1::SparseActivations ToProto(const SparseActivations& activations);

}  // namespace superpose
