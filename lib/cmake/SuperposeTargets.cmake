# superpose_library(NAME SOURCES .. DEPS ..)   a static library; DEPS name other rooms' libraries or packages' targets
# superpose_torch_library(...)                 the same with LibTorch and the shared precompiled header
# superpose_test(NAME SOURCES .. DEPS ..)      one executable and one ctest entry for one test file, of the same name
# superpose_torch_test(...)                    the same with LibTorch and the shared precompiled header
function(superpose_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>")
  target_link_libraries(${name} PUBLIC ${arg_DEPS})
endfunction()

function(superpose_torch_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  superpose_library(${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS} superpose_torch)
  target_precompile_headers(${name} REUSE_FROM superpose_precompiled)
endfunction()

function(superpose_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest_main)
  # With debug information the hundreds of tests would fill 14 GB; the debug preset's tests have it.
  target_link_options(${name} PRIVATE "$<$<CONFIG:RelWithDebInfo>:LINKER:--strip-debug>")
  target_compile_definitions(${name} PRIVATE SUPERPOSE_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data"
                                             SUPERPOSE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             SUPERPOSE_DEMO_DIR="${CMAKE_SOURCE_DIR}/deploy/demo")
  add_test(NAME ${name} COMMAND ${name})
  # The label is the folder that is tested, as in `ctest -L lib/corpus`.
  file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_CURRENT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "${folder}" ENVIRONMENT "${SUPERPOSE_TEST_ENVIRONMENT}")
endfunction()

function(superpose_torch_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  superpose_test(${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS} superpose_torch)
  target_precompile_headers(${name} REUSE_FROM superpose_precompiled)
endfunction()
