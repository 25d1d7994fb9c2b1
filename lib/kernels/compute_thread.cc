#include "lib/kernels/compute_thread.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <omp.h>

#include <cstdlib>
#include <limits>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace superpose {

void ConfigureAllocator() {
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);  // read by LibTorch
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_ARENA_MAX, 1);  // the heaps of other arenas are too small for large blocks, which would be mapped after all
#endif
}

void ConfigureComputeThread(int threads) {
  at::globalContext().setFlushDenormal(true);
  at::set_num_threads(threads);
}

// Set even when it is LibTorch's default, which a variable of the environment can change.
void SetMatmulPrecision(MatmulPrecision precision) {
  at::globalContext().setFloat32MatmulPrecision(precision == MatmulPrecision::kTf32 ? "high" : "highest");
}

MatmulPrecision CurrentMatmulPrecision() {
  const bool exact = at::globalContext().float32MatmulPrecision() == at::Float32MatmulPrecision::HIGHEST;
  return exact ? MatmulPrecision::kFloat32 : MatmulPrecision::kTf32;
}

void ConfigureLoadingThread() {
  // Else LibTorch, and code compiled against it, would take over the computing thread's number at the first call.
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
  omp_set_num_threads(1);
}

}  // namespace superpose
