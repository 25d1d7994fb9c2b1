// Marks a function that is compiled for several processors; the right one is chosen when the program starts.
#pragma once

// Sanitizers start before the resolvers that choose a clone can run.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(SUPERPOSE_SANITIZED)
#define SUPERPOSE_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SUPERPOSE_VECTOR_CLONES
#endif
