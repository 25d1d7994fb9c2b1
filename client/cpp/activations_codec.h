// Between plain arrays and the contract.
#pragma once

#include "absl/status/statusor.h"
#include "client/cpp/activations.h"
#include "superpose/v1/feature_service.pb.h"

namespace superpose::client {

// INVALID_ARGUMENT / CONFIG_INVALID when both texts and sequences are given.
absl::StatusOr<v1::ActivationsQuery> ToProto(const ActivationsQuery& query);

// DATA_LOSS when the arrays contradict each other.
absl::StatusOr<Activations> FromProto(const v1::Activations& proto);

}  // namespace superpose::client
