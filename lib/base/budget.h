#pragma once

#include <functional>

namespace superpose {

// How long a slice of work may take. Work that runs in slices does at least one unit, then asks after each unit.
class Budget {
 public:
  explicit Budget(std::function<bool()> exhausted) : exhausted_(std::move(exhausted)) {}
  bool Exhausted() const { return exhausted_(); }
  static Budget Unlimited() {
    return Budget([] { return false; });
  }

 private:
  std::function<bool()> exhausted_;
};

}  // namespace superpose
