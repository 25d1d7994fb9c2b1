// Reads the models and transcoders that a config entry or a call names.
#pragma once

#include <c10/core/Device.h>

#include <string>

#include "absl/status/statusor.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/server_config.pb.h"

namespace superpose {

// What loading needs to know beside the files.
struct LoadContext {
  c10::Device device = c10::Device(c10::kCPU);
  MemoryBudget* budget = nullptr;  // null: without limit
  v1::SelfTestPolicy self_test = v1::SELF_TEST_POLICY_WARN;
  bool int8_prefilter = false;              // TranscoderOptions
  const ModelRegistry* registry = nullptr;  // whose corpora may serve to test a transcoder; may be null
};

// DEVICE_UNAVAILABLE.
absl::StatusOr<c10::Device> FindDevice(const std::string& name);

// The model of an entry, with its tokenizer where there is one and its transcoders. Every default of the entry is
// filled in. Memory is reserved before weights are read. Runs LibTorch. Errors: those of the files, MEMORY_EXCEEDED.
absl::StatusOr<ModelHandle> LoadModelFiles(const v1::ModelEntry& entry, const LoadContext& context);
absl::StatusOr<TranscoderHandle> LoadTranscoderFiles(const LoadedModel& model, const v1::TranscoderEntry& entry,
                                                     const LoadContext& context);

}  // namespace superpose
