#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The client's own: it depends on the contract alone, not on lib/.

// Returns from the enclosing function when `expr`, an absl::Status, is not OK.
#define SUPERPOSE_CLIENT_RETURN_IF_ERROR(expr)                         \
  do {                                                                 \
    absl::Status superpose_client_status = (expr);                     \
    if (!superpose_client_status.ok()) return superpose_client_status; \
  } while (false)

// SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto x, F()): assigns the value of an absl::StatusOr, or returns its error.
#define SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(lhs, expr) \
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN_(SUPERPOSE_CLIENT_CONCAT_(superpose_client_or_, __LINE__), lhs, expr)
#define SUPERPOSE_CLIENT_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                                       \
  if (!tmp.ok()) return std::move(tmp).status();           \
  lhs = *std::move(tmp)
#define SUPERPOSE_CLIENT_CONCAT_(a, b) SUPERPOSE_CLIENT_CONCAT_INNER_(a, b)
#define SUPERPOSE_CLIENT_CONCAT_INNER_(a, b) a##b
