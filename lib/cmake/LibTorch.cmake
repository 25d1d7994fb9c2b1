# LibTorch as it lies in PyPI's `torch` package, as the target superpose_torch.
#
# The package's include folder also carries old copies of google/protobuf and fmt that shadow the system's. So targets see a
# folder of links to everything in it but those two. TorchConfig.cmake is not used: it brings that include folder and a dummy
# protobuf target.
set(SUPERPOSE_TORCH_DIR "" CACHE PATH "Folder of the torch package (the one with include/ and lib/)")
if(NOT SUPERPOSE_TORCH_DIR)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE SUPERPOSE_TORCH_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT EXISTS "${SUPERPOSE_TORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No LibTorch in '${SUPERPOSE_TORCH_DIR}'. Run ./dev setup, or pass -DSUPERPOSE_TORCH_DIR=.../site-packages/torch")
endif()

set(torch_headers "${CMAKE_BINARY_DIR}/torch_headers")
file(GLOB torch_entries "${SUPERPOSE_TORCH_DIR}/include/*")
file(MAKE_DIRECTORY "${torch_headers}")
foreach(entry IN LISTS torch_entries)
  get_filename_component(name "${entry}" NAME)
  if(NOT name MATCHES "^(google|fmt)$")
    file(CREATE_LINK "${entry}" "${torch_headers}/${name}" SYMBOLIC)
  endif()
endforeach()

add_library(superpose_torch INTERFACE)
target_include_directories(superpose_torch SYSTEM INTERFACE "${torch_headers}")
# at::parallel_for runs on one thread unless the calling file is compiled with OpenMP; it must be torch's own copy of libgomp.
# Clang would want its own OpenMP; what it compiles here (the fuzz targets) runs no loops in parallel.
target_compile_options(superpose_torch INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fopenmp>)
file(GLOB torch_openmp "${SUPERPOSE_TORCH_DIR}/lib/libgomp*.so*")
target_link_directories(superpose_torch INTERFACE "${SUPERPOSE_TORCH_DIR}/lib")
target_link_options(superpose_torch INTERFACE "-Wl,-rpath,${SUPERPOSE_TORCH_DIR}/lib")
target_link_libraries(superpose_torch INTERFACE "${SUPERPOSE_TORCH_DIR}/lib/libtorch_cpu.so" "${SUPERPOSE_TORCH_DIR}/lib/libc10.so" ${torch_openmp})
if(EXISTS "${SUPERPOSE_TORCH_DIR}/lib/libtorch_cuda.so")
  # Nothing refers to this library by name: it registers its kernels when it is loaded.
  target_link_options(superpose_torch INTERFACE "-Wl,--no-as-needed,${SUPERPOSE_TORCH_DIR}/lib/libtorch_cuda.so,${SUPERPOSE_TORCH_DIR}/lib/libc10_cuda.so,--as-needed")
endif()
