# SPDX-License-Identifier: Apache-2.0

# Kokkos for this project: the one that a project which includes this one has already, else found
# where the user points (Kokkos_ROOT, CMAKE_PREFIX_PATH), else what scripts/setup unpacked, else on
# the system, else fetched.
#
# Sets fusedconv_backends (the enabled Kokkos backends, in capitals),
# fusedconv_kokkos_language (the CMake language of files that include Kokkos) and
# fusedconv_kokkos_kernels (the target of Kokkos Kernels, empty when it is not used).

set(fusedconv_known_backends SERIAL OPENMP THREADS CUDA HIP SYCL)

# Backends asked for on the command line.
set(fusedconv_wanted_backends)
foreach(backend IN LISTS fusedconv_known_backends)
  if(Kokkos_ENABLE_${backend})
    list(APPEND fusedconv_wanted_backends ${backend})
  endif()
endforeach()

# Whether Kokkos is built along with this project, from its sources.
set(fusedconv_kokkos_is_source FALSE)
if(TARGET Kokkos::kokkos)
  get_target_property(fusedconv_kokkos_is_imported Kokkos::kokkos IMPORTED)
  if(NOT fusedconv_kokkos_is_imported)
    set(fusedconv_kokkos_is_source TRUE)
  endif()
endif()

# Where the including project has found Kokkos, it is not found again: to find it without the
# components that the project chose would put Kokkos's compiler launcher on all that is built.
if(NOT fusedconv_kokkos_is_source AND NOT (TARGET Kokkos::kokkos AND Kokkos_FOUND))
  # The targets are global, for those who link the library are outside of this directory.
  find_package(Kokkos QUIET CONFIG GLOBAL HINTS "${PROJECT_SOURCE_DIR}/.deps/kokkos/usr")
endif()

if(Kokkos_FOUND)
  message(STATUS "Kokkos ${Kokkos_VERSION} (${Kokkos_DEVICES}): ${Kokkos_DIR}")
  set(fusedconv_kokkos_origin "in ${Kokkos_DIR}")
elseif(fusedconv_kokkos_is_source)
  set(fusedconv_kokkos_origin "in ${Kokkos_SOURCE_DIR}")
elseif(FUSEDCONV_FETCH_KOKKOS)
  include(FetchContent)
  FetchContent_Declare(
    Kokkos
    URL https://github.com/kokkos/kokkos/releases/download/5.2.2/kokkos-5.2.2.tar.gz
    URL_HASH SHA256=d6557aaef39302282a15f9c770433d1fcdf4e961dfd6d9ed726b9d0d0f546b9f
    DOWNLOAD_EXTRACT_TIMESTAMP ON)
  message(STATUS "Kokkos was not found; fetching the release named in ${CMAKE_CURRENT_LIST_FILE}")
  # Without any backend asked for, Kokkos would build Serial alone.
  if(NOT fusedconv_wanted_backends)
    set(Kokkos_ENABLE_SERIAL ON CACHE BOOL "")
    set(Kokkos_ENABLE_OPENMP ON CACHE BOOL "")
  endif()
  # Warnings in its headers are not ours. (The keyword SYSTEM of FetchContent_Declare breaks the
  # download in CMake 3.25.)
  set_directory_properties(PROPERTIES SYSTEM ON)
  FetchContent_MakeAvailable(Kokkos)
  set_directory_properties(PROPERTIES SYSTEM OFF)
  set(fusedconv_kokkos_is_source TRUE)
  set(fusedconv_kokkos_origin "fetched")
else()
  message(
    FATAL_ERROR
      "Kokkos was not found: run scripts/setup, give Kokkos_ROOT, or set FUSEDCONV_FETCH_KOKKOS.")
endif()

if(fusedconv_kokkos_is_source)
  get_directory_property(Kokkos_VERSION DIRECTORY "${Kokkos_SOURCE_DIR}" DEFINITION Kokkos_VERSION)
endif()

if(Kokkos_VERSION VERSION_LESS 4.5)
  message(
    FATAL_ERROR
      "Kokkos 4.5 or later is needed, but Kokkos ${Kokkos_VERSION} is ${fusedconv_kokkos_origin}; "
      "give Kokkos_ROOT of another one.")
endif()

# A Kokkos that was found lists its devices; one that is built along has only its options.
set(fusedconv_backends)
foreach(backend IN LISTS fusedconv_known_backends)
  if(backend IN_LIST Kokkos_DEVICES OR (fusedconv_kokkos_is_source AND Kokkos_ENABLE_${backend}))
    list(APPEND fusedconv_backends ${backend})
  endif()
endforeach()
if(NOT fusedconv_backends)
  list(JOIN fusedconv_known_backends ", Kokkos_ENABLE_" fusedconv_backend_options)
  message(
    FATAL_ERROR
      "The Kokkos ${fusedconv_kokkos_origin} has no backend that fusedconv has kernels for, only "
      "[${Kokkos_DEVICES}]; give Kokkos_ROOT of one that was built with Kokkos_ENABLE_"
      "${fusedconv_backend_options}.")
endif()
foreach(backend IN LISTS fusedconv_wanted_backends)
  if(NOT backend IN_LIST fusedconv_backends)
    message(
      FATAL_ERROR "Kokkos_ENABLE_${backend} was asked for, but the Kokkos ${fusedconv_kokkos_origin} "
                  "has only ${Kokkos_DEVICES}; give Kokkos_ROOT of one that has it.")
  endif()
endforeach()

# Kokkos 4.5 does not export Kokkos_COMPILE_LANGUAGE yet.
if(Kokkos_COMPILE_LANGUAGE)
  set(fusedconv_kokkos_language ${Kokkos_COMPILE_LANGUAGE})
elseif(Kokkos_ENABLE_COMPILE_AS_CMAKE_LANGUAGE AND Kokkos_ENABLE_CUDA)
  set(fusedconv_kokkos_language CUDA)
elseif(Kokkos_ENABLE_COMPILE_AS_CMAKE_LANGUAGE AND Kokkos_ENABLE_HIP)
  set(fusedconv_kokkos_language HIP)
else()
  set(fusedconv_kokkos_language CXX)
endif()

if(fusedconv_kokkos_language STREQUAL "CUDA" AND NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES ${Kokkos_CUDA_ARCHITECTURES})
elseif(fusedconv_kokkos_language STREQUAL "HIP" AND NOT CMAKE_HIP_ARCHITECTURES)
  set(CMAKE_HIP_ARCHITECTURES ${Kokkos_HIP_ARCHITECTURES})
endif()
if(NOT fusedconv_kokkos_language STREQUAL "CXX")
  enable_language(${fusedconv_kokkos_language})
endif()

# Whether files can be compiled for what GPUs of compute capability 9.0 alone have; also beside
# nvcc_wrapper, which stands for CMake's C++ compiler.
set(fusedconv_has_sm_90a OFF)
if("CUDA" IN_LIST fusedconv_backends AND ("HOPPER90" IN_LIST Kokkos_ARCH OR Kokkos_ARCH_HOPPER90))
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
  endif()
  if(CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA")
    set(fusedconv_has_sm_90a ON)
  else()
    message(STATUS "CMake finds no nvcc: the kernels for compute capability 9.0 alone are left out")
  endif()
endif()

if(Kokkos_ENABLE_CUDA AND Kokkos_VERSION VERSION_LESS 4.7.1)
  find_package(CUDAToolkit QUIET)
  if(CUDAToolkit_VERSION VERSION_GREATER_EQUAL 13)
    message(WARNING "CUDA ${CUDAToolkit_VERSION} needs Kokkos 4.7.1 or later, but Kokkos "
                    "${Kokkos_VERSION} is ${fusedconv_kokkos_origin}.")
  endif()
endif()

# Kokkos Kernels must fit its Kokkos: it is taken from beside it or from where the user points, and
# not from wherever the system has one.
set(fusedconv_kokkos_kernels)
if(FUSEDCONV_KOKKOS_KERNELS AND Kokkos_DIR)
  find_package(KokkosKernels QUIET CONFIG HINTS "${Kokkos_DIR}/.." NO_CMAKE_SYSTEM_PATH)
  foreach(target IN ITEMS Kokkos::kokkoskernels KokkosKernels::all_libs KokkosKernels::kokkoskernels)
    if(TARGET ${target})
      set(fusedconv_kokkos_kernels ${target})
      break()
    endif()
  endforeach()
endif()

# fusedconv_kokkos_sources(<target> <source>...) adds sources that include Kokkos to a target.
function(fusedconv_kokkos_sources target)
  target_sources(${target} PRIVATE ${ARGN})
  if(NOT fusedconv_kokkos_language STREQUAL "CXX")
    set_source_files_properties(
      ${ARGN} TARGET_DIRECTORY ${target} PROPERTIES LANGUAGE ${fusedconv_kokkos_language})
    string(TOLOWER ${fusedconv_kokkos_language}_std_20 feature)
    if(feature IN_LIST CMAKE_${fusedconv_kokkos_language}_COMPILE_FEATURES)
      target_compile_features(${target} PRIVATE ${feature})
    else()
      # CMake 3.25.1 does not know yet that nvcc has C++20.
      target_compile_options(
        ${target} PRIVATE $<$<COMPILE_LANGUAGE:${fusedconv_kokkos_language}>:-std=c++20>)
    endif()
  endif()
endfunction()
