// What Hugging Face tokenizers and Python made of odd texts (tests/data/tokenizer).
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "gtest/gtest.h"

namespace superpose {

inline std::string Fixture(const std::string& name) { return std::string(SUPERPOSE_TEST_DATA "/tokenizer/") + name; }

inline nlohmann::json JsonFixture(const std::string& name) {
  std::ifstream file(Fixture(name));
  nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(json.is_discarded() || json.empty()) << name;
  return json;
}

}  // namespace superpose
