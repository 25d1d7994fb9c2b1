// Tests that run on every kind of device. One that this machine lacks is skipped, and says so.
#pragma once

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>

#include <array>
#include <string>

#include "gtest/gtest.h"

namespace superpose {

inline constexpr std::array<at::DeviceType, 2> kDeviceTypes = {at::kCPU, at::kCUDA};

inline bool IsMissing(at::DeviceType type) { return type == at::kCUDA && !at::hasCUDA(); }

inline std::string NameOfDevice(at::DeviceType type) { return type == at::kCPU ? "Cpu" : "Cuda"; }

// For INSTANTIATE_TEST_SUITE_P(.., DeviceTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name).
class DeviceTest : public testing::TestWithParam<at::DeviceType> {
 public:
  static std::string Name(const testing::TestParamInfo<at::DeviceType>& info) { return NameOfDevice(info.param); }

 protected:
  void SetUp() override {
    if (IsMissing(GetParam())) GTEST_SKIP() << "no such device here";
  }
  at::Device device() const { return at::Device(GetParam()); }
};

}  // namespace superpose
