// Counts what LibTorch allocates on the CPU.
#pragma once

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "gtest/gtest.h"
#include "lib/base/mutex.h"

namespace superpose {

// In the place of LibTorch's CPU allocator, which it calls. Thread-safe.
class CountingAllocator final : public c10::Allocator {
 public:
  // Takes its place, once for the process, and stays there.
  static CountingAllocator& Install() {
    static CountingAllocator* const allocator = [] {
      auto* made = new CountingAllocator(c10::GetCPUAllocator());
      c10::SetCPUAllocator(made, /*priority=*/100);
      return made;
    }();
    return *allocator;
  }

  // Most bytes that `body` had allocated at once, beyond what there was before.
  int64_t PeakOf(const std::function<void()>& body) {
    int64_t before = 0;
    {
      const MutexLock lock(&mutex_);
      before = peak_ = now_;
    }
    body();
    const MutexLock lock(&mutex_);
    return peak_ - before;
  }
  int64_t now() const {
    const MutexLock lock(&mutex_);
    return now_;
  }

  c10::DataPtr allocate(size_t bytes) override {
    c10::DataPtr data = inner_->allocate(bytes);
    void* const address = data.get();
    const c10::Device device = data.device();
    Count(static_cast<int64_t>(bytes));
    auto* block = new Block{this, std::move(data), static_cast<int64_t>(bytes)};
    return {address, block, &Free, device};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

 private:
  struct Block {
    CountingAllocator* allocator;
    c10::DataPtr data;
    int64_t bytes;
  };

  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) {}

  static void Free(void* context) {
    auto* block = static_cast<Block*>(context);
    block->allocator->Count(-block->bytes);
    delete block;
  }

  void Count(int64_t change) {
    const MutexLock lock(&mutex_);
    now_ += change;
    peak_ = std::max(peak_, now_);
  }

  c10::Allocator* const inner_;
  mutable Mutex mutex_;
  int64_t now_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t peak_ ABSL_GUARDED_BY(mutex_) = 0;
};

inline testing::AssertionResult WithinAFifth(int64_t estimate, int64_t measured) {
  const double ratio = static_cast<double>(estimate) / static_cast<double>(measured);
  if (ratio >= 0.8 && ratio <= 1.2) return testing::AssertionSuccess() << "ratio " << ratio;
  return testing::AssertionFailure() << "estimate " << estimate << ", measured " << measured << ", ratio " << ratio;
}

}  // namespace superpose
