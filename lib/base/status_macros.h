#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function when `expr`, an absl::Status, is not OK.
#define SUPERPOSE_RETURN_IF_ERROR(expr)                  \
  do {                                                   \
    absl::Status superpose_status = (expr);              \
    if (!superpose_status.ok()) return superpose_status; \
  } while (false)

// SUPERPOSE_ASSIGN_OR_RETURN(auto x, F()): assigns the value of an absl::StatusOr, or returns its error.
#define SUPERPOSE_ASSIGN_OR_RETURN(lhs, expr) \
  SUPERPOSE_ASSIGN_OR_RETURN_(SUPERPOSE_CONCAT_(superpose_or_, __LINE__), lhs, expr)
#define SUPERPOSE_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return std::move(tmp).status();    \
  lhs = *std::move(tmp)
#define SUPERPOSE_CONCAT_(a, b) SUPERPOSE_CONCAT_INNER_(a, b)
#define SUPERPOSE_CONCAT_INNER_(a, b) a##b
