#include "lib/kernels/compute_thread.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace superpose {
namespace {

void OnNewThread(const std::function<void()>& body) { std::thread(body).join(); }

TEST(ComputeThread, AllThreadsTakePart) {
  OnNewThread([] {
    ConfigureComputeThread(2);
    std::vector<std::thread::id> ids(2);
    at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ids[i] = std::this_thread::get_id();
    });
    EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()).size(), 2);
  });
}

TEST(ComputeThread, ALoadingThreadComputesAlone) {
  OnNewThread([] {
    ConfigureComputeThread(2);
    at::ones({8}).sum();
    OnNewThread([] {
      ConfigureLoadingThread();
      at::ones({1 << 20}).sum();
      EXPECT_EQ(at::get_num_threads(), 1);
      std::set<std::thread::id> ids;
      at::parallel_for(0, 2, 1, [&](int64_t, int64_t) { ids.insert(std::this_thread::get_id()); });
      EXPECT_EQ(ids.size(), 1);
    });
    EXPECT_EQ(at::get_num_threads(), 2) << "the computing thread keeps its own";
  });
}

#if defined(__x86_64__)
TEST(ComputeThread, EveryWorkerFlushesDenormals) {
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  OnNewThread([] {
    ConfigureComputeThread(3);
    std::vector<unsigned> flags(3);
    at::parallel_for(0, 3, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) flags[i] = _mm_getcsr();
    });
    for (unsigned flag : flags) EXPECT_EQ(flag & (kFlushToZero | kDenormalsAreZero), kFlushToZero | kDenormalsAreZero);
  });
}
#endif

TEST(MatmulPrecision, IsWhatWasSet) {
  SetMatmulPrecision(MatmulPrecision::kTf32);
  EXPECT_EQ(CurrentMatmulPrecision(), MatmulPrecision::kTf32);
  SetMatmulPrecision(MatmulPrecision::kFloat32);
  EXPECT_EQ(CurrentMatmulPrecision(), MatmulPrecision::kFloat32);
}

#ifdef __GLIBC__
int64_t PageFaults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST(ConfigureAllocator, LargeTensorsAreAllocatedAgainWithoutPageFaults) {
  ConfigureAllocator();
  OnNewThread([] {
    constexpr int64_t kElements = 10 << 20;  // 40 MiB, 10,240 pages: above what malloc keeps by default
    // glibc needs some rounds until the ends of aligned blocks no longer lie between a freed block and the next.
    for (int i = 0; i < 20; ++i) at::ones({kElements});
    const int64_t before = PageFaults();
    for (int i = 0; i < 10; ++i) at::ones({kElements});
    EXPECT_LT(PageFaults() - before, 1000);
  });
}
#endif

}  // namespace
}  // namespace superpose
