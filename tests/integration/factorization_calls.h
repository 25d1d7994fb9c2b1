// Calls of the factorization service that a test gets wrong.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "superpose/v1/factorization_service.grpc.pb.h"
#include "tests/integration/bad_calls.h"

namespace superpose {

inline constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
inline constexpr auto kNotFound = absl::StatusCode::kNotFound;
inline constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
inline constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

using FactorizationStub = v1::FactorizationService::Stub;

inline TextCall FactorizeCall() { return Unary(&FactorizationStub::FactorizeDecoders); }
inline TextCall EstimateCall() { return Unary(&FactorizationStub::EstimateFactorization); }
inline TextCall AnalyzeCall() { return Unary(&FactorizationStub::AnalyzeDirections); }

// A question to decoders of layer 1: "gram".
inline std::string Ask(const std::string& question, const std::string& directions = "",
                       const std::string& fields = "") {
  return absl::StrCat("spec { ", question, " { directions { transcoder: 'models/-/layers/1' ", directions, " } ",
                      fields, " } }");
}

// Names of the questions to directions.
inline constexpr std::array<const char*, 3> kQuestions = {"gram", "spectrum", "whitening"};

// `count` ids of the tiny transcoder's 256.
inline std::string ManyDirections(int count) {
  std::vector<int> ids(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) ids[static_cast<size_t>(i)] = i % 256;
  return absl::StrCat("features { ids { values: [", absl::StrJoin(ids, ","), "] } }");
}

}  // namespace superpose
