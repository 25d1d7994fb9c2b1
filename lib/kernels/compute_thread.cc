#include "lib/kernels/compute_thread.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <limits>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace superpose {

void KeepFreedPages() {
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

}  // namespace superpose
