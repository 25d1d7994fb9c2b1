#include "lib/base/torch_guard.h"

#include <ATen/ATen.h>

#include <new>

#include "tests/status_matchers.h"

namespace superpose {
namespace {

TEST(TorchGuardTest, PassesValuesAndErrorsThrough) {
  absl::StatusOr<int> value = CatchTorch([]() -> absl::StatusOr<int> { return 3; });
  EXPECT_EQ(value.value(), 3);
  EXPECT_THAT(CatchTorch([] { return InvalidArgument(reason::kEmptyInput, "no tokens"); }),
              IsError(absl::StatusCode::kInvalidArgument, reason::kEmptyInput));
}

TEST(TorchGuardTest, AShapeErrorOfLibTorchIsAStatus) {
  absl::StatusOr<at::Tensor> product =
      CatchTorch([]() -> absl::StatusOr<at::Tensor> { return at::mm(at::zeros({2, 3}), at::zeros({2, 3})); });
  EXPECT_THAT(product, IsError(absl::StatusCode::kInternal, reason::kComputeFailed));
}

TEST(TorchGuardTest, RunningOutOfMemoryIsResourceExhausted) {
  EXPECT_THAT(CatchTorch([]() -> absl::Status { throw std::bad_alloc(); }),
              IsError(absl::StatusCode::kResourceExhausted, reason::kOutOfMemory));
  absl::StatusOr<at::Tensor> huge =
      CatchTorch([]() -> absl::StatusOr<at::Tensor> { return at::empty({int64_t{1} << 60}, at::kByte); });
  EXPECT_THAT(huge, IsError(absl::StatusCode::kResourceExhausted, reason::kOutOfMemory));
}

}  // namespace
}  // namespace superpose
