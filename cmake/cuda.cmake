# libgmr_cuda.so: the CUDA kernels with the CUDA runtime linked in, so that it needs a driver alone.
# libgmr_cuda_sim.so: the very same objects on an interpreter of their PTX, for tests on machines without a GPU; never
# packaged. Both need nvcc: on PATH, in CUDACXX, or in /usr/local/cuda.
option(GMR_CUDA "build the CUDA backend where there is an nvcc" ON)
option(GMR_CUDA_SIM "build the interpreter for tests" ${is_clone})
# Machine code for one GPU, and PTX for all: that of sm_75 does not serve newer ones (native/cuda/architectures.h). The
# interpreter runs PTX. `npm run prebuilds` asks for all that a release has.
set(GMR_CUDA_ARCHITECTURES "90-real;75-virtual;80-virtual" CACHE STRING
  "GPUs to build for, as in CMAKE_CUDA_ARCHITECTURES")
set(GMR_CUDA_SIM_ARCHITECTURES "75-virtual;80-virtual;90-virtual;100-virtual;120-virtual" CACHE STRING
  "PTX for the interpreter, of each family that kernels are compiled for")

if(NOT GMR_CUDA)
  message(STATUS "CUDA backend: left out, GMR_CUDA=OFF in ${CMAKE_BINARY_DIR}/CMakeCache.txt; "
    "`npm run build:native -- --CDGMR_CUDA=ON` makes it")
  return()
endif()
if(NOT CMAKE_CUDA_COMPILER)
  unset(CMAKE_CUDA_COMPILER CACHE)  # that there was none is no reason not to look again
endif()
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(GMR_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(GMR_NVCC)
    set(CMAKE_CUDA_COMPILER ${GMR_NVCC})
  endif()
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "CUDA backend: left out, there is no nvcc on PATH, in CUDACXX or in /usr/local/cuda/bin")
  return()
endif()
set(architectures ${GMR_CUDA_ARCHITECTURES})
if(GMR_CUDA_SIM)
  list(APPEND architectures ${GMR_CUDA_SIM_ARCHITECTURES})
  list(REMOVE_DUPLICATES architectures)
endif()
set(CMAKE_CUDA_ARCHITECTURES ${architectures})
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
  message(STATUS "CUDA backend: left out, nvcc ${CMAKE_CUDA_COMPILER_VERSION} is older than 13")
  return()
endif()
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # CMake 3.25 does not know that nvcc has it
endif()
find_package(CUDAToolkit REQUIRED)
message(STATUS "CUDA backend: made with nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${architectures}")

file(GLOB cuda_sources CONFIGURE_DEPENDS native/ops/*/*_cuda.cu native/cuda/*.cu native/cuda/*.cc)
list(FILTER cuda_sources EXCLUDE REGEX "backend_cuda\\.cc$")
list(JOIN architectures "," architectures_text)

# Spills and local memory are errors: what a kernel holds must be in registers. The interpreter reads PTX as it is, and reports by its
# lines, as profilers do; a release has none, since they would be more than half of it.
add_library(gmr_cuda_kernels OBJECT ${cuda_sources})
set_target_properties(gmr_cuda_kernels PROPERTIES CUDA_VISIBILITY_PRESET hidden CUDA_RUNTIME_LIBRARY None)
target_compile_options(gmr_cuda_kernels PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:
  $<IF:$<BOOL:${GMR_CUDA_SIM}>,-lineinfo;--no-compress,--compress-mode=size>
  --expt-relaxed-constexpr -Werror=all-warnings -Xptxas=-warn-spills,-warn-lmem-usage,-Werror -Xcompiler=-Wall,-Wextra>)
target_compile_definitions(gmr_cuda_kernels PRIVATE GMR_CUDA_ARCHITECTURES="${architectures_text}")
target_include_directories(gmr_cuda_kernels SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})

function(add_cuda_backend target runtime)
  add_library(${target} MODULE $<TARGET_OBJECTS:gmr_cuda_kernels> native/cuda/backend_cuda.cc)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  string(REPLACE gmr_ "" kind ${target})
  target_compile_definitions(${target} PRIVATE GMR_CUDA_BACKEND="${kind}")
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  target_tell_build(${target} "${cxx_compiler}, nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${architectures_text}")
  target_link_libraries(${target} PRIVATE ${runtime} Threads::Threads)
  target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL)
endfunction()
add_cuda_backend(gmr_cuda CUDA::cudart_static)
if(GMR_CUDA_SIM)
  add_subdirectory(native/testing/cuda_sim)
  add_cuda_backend(gmr_cuda_sim gmr_cuda_sim_runtime)
  if(GMR_ADDON)
    # In a folder of its own: what lies beside gmr.node with its suffix is taken for it.
    add_library(gmr_cuda_sim_control MODULE native/testing/cuda_sim_control.cc)
    set_target_properties(gmr_cuda_sim_control PROPERTIES PREFIX "" SUFFIX ".node"
      LIBRARY_OUTPUT_DIRECTORY "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/testing")
    target_use_node_api(gmr_cuda_sim_control)
  endif()
endif()
