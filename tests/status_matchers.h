// EXPECT_OK, ASSERT_OK_AND_ASSIGN and matchers of errors: Debian's Abseil has no status_matchers.h.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/error.h"

namespace superpose {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// EXPECT_THAT(result, IsError(absl::StatusCode::kInvalidArgument, reason::kFileCorrupt, HasSubstr("...")));
MATCHER_P2(IsError, code, expected_reason, "has that code and reason") {
  *result_listener << StatusOf(arg).ToString() << " reason " << ReasonOf(StatusOf(arg));
  return StatusOf(arg).code() == code && ReasonOf(StatusOf(arg)) == expected_reason;
}

MATCHER_P(MessageHas, text, "has a message that contains the text") {
  *result_listener << StatusOf(arg).ToString();
  return std::string(StatusOf(arg).message()).find(text) != std::string::npos;
}

}  // namespace superpose

#define EXPECT_OK(expr) EXPECT_THAT(expr, ::superpose::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT(expr, ::superpose::IsOk())
#define ASSERT_OK_AND_ASSIGN(lhs, expr) ASSERT_OK_AND_ASSIGN_(SUPERPOSE_TEST_CONCAT_(or_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  ASSERT_THAT(tmp, ::superpose::IsOk());      \
  lhs = *std::move(tmp)
#define SUPERPOSE_TEST_CONCAT_(a, b) SUPERPOSE_TEST_CONCAT_INNER_(a, b)
#define SUPERPOSE_TEST_CONCAT_INNER_(a, b) a##b
