// Which of the forms that a loop is compiled in the processor can run, for loops whose shape depends on it.
#pragma once

namespace superpose {

// Each level has all that the one before has.
enum class VectorLevel { kPlain, kAvx2, kAvx512 };

// The best one of this processor, among those that are compiled.
VectorLevel BestVectorLevel();

}  // namespace superpose

// Two functions for kAvx2 and kAvx512 may carry these marks where the macro below is 1.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(SUPERPOSE_SANITIZED)
#define SUPERPOSE_HAS_VECTOR_LEVELS 1
#define SUPERPOSE_AVX2 __attribute__((target("arch=x86-64-v3")))
#define SUPERPOSE_AVX512 __attribute__((target("arch=x86-64-v4")))
#else
#define SUPERPOSE_HAS_VECTOR_LEVELS 0
#endif
