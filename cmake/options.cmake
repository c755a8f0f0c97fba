# What a user may choose, and the defaults of the build.
set(COTERIE_CUDA AUTO CACHE STRING "CUDA passes: AUTO (when nvcc works), ON (must work) or OFF")
set_property(CACHE COTERIE_CUDA PROPERTY STRINGS AUTO ON OFF)
set(COTERIE_CUDA_ARCHITECTURES 90
    CACHE STRING "GPU architectures to compile for; a release takes the list in CMakePresets.json")

# SKBUILD is set while a wheel is built: then only the Python extension is wanted.
set(developing OFF)
if(PROJECT_IS_TOP_LEVEL AND NOT SKBUILD)
  set(developing ON)
endif()
set(for_python OFF)
if(SKBUILD)
  set(for_python ON)
endif()
option(COTERIE_BUILD_TESTS "Build the C++ tests (needs GoogleTest)" ${developing})
option(COTERIE_BUILD_BENCH "Build the micro-benchmarks (needs Google Benchmark)" OFF)
option(COTERIE_BUILD_PYTHON "Build the Python extension (needs pybind11 >= 3)" ${for_python})
option(COTERIE_WERROR "Treat warnings in Coterie's own code as errors" ${developing})
option(BUILD_SHARED_LIBS "Build libcoterie as a shared library" ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  # One folder for programs and libraries: libcoterie_cuda.so is looked for beside its user.
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endif()
# Where a development build puts the extension and the CUDA library.
set(COTERIE_PYTHON_DIR ${PROJECT_SOURCE_DIR}/python/coterie
    CACHE PATH "Folder of the built Python extension, unless a wheel is built")
mark_as_advanced(COTERIE_PYTHON_DIR)
