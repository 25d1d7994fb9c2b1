// The forms of a vector loop that this machine can run, for tests that hold each of them to the same results.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/kernels/vector_level.h"

namespace superpose {

inline std::vector<VectorLevel> RunnableLevels() {
  std::vector<VectorLevel> levels = {VectorLevel::kPlain};
  if (BestVectorLevel() >= VectorLevel::kAvx2) levels.push_back(VectorLevel::kAvx2);
  if (BestVectorLevel() >= VectorLevel::kAvx512) levels.push_back(VectorLevel::kAvx512);
  return levels;
}

inline std::string NameOfLevel(const testing::TestParamInfo<VectorLevel>& info) {
  constexpr std::array<const char*, 3> kNames = {"Plain", "Avx2", "Avx512"};
  return kNames[static_cast<size_t>(info.param)];
}

}  // namespace superpose
