// Settings of the process and of the thread that computes, without which LibTorch on a CPU is several times slower.
#pragma once

namespace superpose {

// Has large tensors lie in huge pages where the system grants them on request (rows that are gathered from a large
// matrix then miss fewer translations), and malloc keep freed pages and serve every thread from one heap, so that large
// temporaries do not fault their pages in anew each time. Holds for the whole process; call it before threads start and
// before the first tensor. The latter does nothing without glibc.
void ConfigureAllocator();

// Makes the calling thread the one that computes: denormals count as zero (AdamW is about four times slower on them)
// and LibTorch runs on `threads` threads. The workers take the flag over when they are created, so call this before the
// thread's first LibTorch call.
void ConfigureComputeThread(int threads);

// How the process multiplies float32 matrices on CUDA devices: in float32, or with factors rounded to the 10 bits of
// mantissa of TF32. On the CPU nothing but kFloat32 is meant. Call it before anything computes.
enum class MatmulPrecision { kFloat32, kTf32 };
void SetMatmulPrecision(MatmulPrecision precision);
MatmulPrecision CurrentMatmulPrecision();

// Makes the calling thread one that computes alone, beside the one above: LibTorch uses no other thread for it, so that
// loading weights takes a core and no more. Call it before the thread's first LibTorch call.
void ConfigureLoadingThread();

}  // namespace superpose
