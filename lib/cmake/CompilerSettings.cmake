# Flags that every target shares. One set of flags lets all targets reuse one precompiled header.
add_compile_options(-fPIC -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety -Werror=thread-safety)
endif()

if(SUPERPOSE_SANITIZER)
  add_compile_options(-fsanitize=${SUPERPOSE_SANITIZER} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SUPERPOSE_SANITIZER})
  add_compile_definitions(SUPERPOSE_SANITIZED=1)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # Without these settings ccache stores nothing for files that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_MAXSIZE=10G ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  else()
    add_compile_options(-fpch-preprocess)
  endif()
endif()

# The environment of every test. The sanitizers must let a test ask for too much memory, and see nothing of LibTorch's insides.
set(SUPERPOSE_TEST_ENVIRONMENT
    "OMP_WAIT_POLICY=PASSIVE" "ASAN_OPTIONS=allocator_may_return_null=1"
    "TSAN_OPTIONS=allocator_may_return_null=1:ignore_noninstrumented_modules=1")
