# SPDX-License-Identifier: Apache-2.0

# Compile options of our own files. None of them reaches a user of the library.

include(CheckCompilerFlag)

# Options as the compiler of Kokkos files takes them: nvcc hands those for the host compiler on.
function(fusedconv_host_options out)
  set(options ${ARGN})
  if(fusedconv_kokkos_language STREQUAL "CUDA" AND CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA")
    list(TRANSFORM options PREPEND "-Xcompiler=")
  endif()
  set(${out} ${options} PARENT_SCOPE)
endfunction()

# fusedconv_warnings(<target>) turns warnings on, and into errors with FUSEDCONV_WARNINGS_AS_ERRORS.
function(fusedconv_warnings target)
  set(flags -Wall -Wextra)
  if(FUSEDCONV_WARNINGS_AS_ERRORS)
    list(APPEND flags -Werror)
  endif()
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${flags}>")
  if(NOT fusedconv_kokkos_language STREQUAL "CXX")
    fusedconv_host_options(kokkos_flags ${flags})
    if(FUSEDCONV_WARNINGS_AS_ERRORS AND CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA")
      list(APPEND kokkos_flags -Werror=all-warnings)
    endif()
    target_compile_options(
      ${target} PRIVATE "$<$<COMPILE_LANGUAGE:${fusedconv_kokkos_language}>:${kokkos_flags}>")
  endif()
endfunction()

# fusedconv_add_warpgroup_kernels(<target> <source>...) compiles files for what compute capability
# 9.0 alone has (sm_90a), where Kokkos is built for 9.0. They know nothing of Kokkos, whose options
# would have them compiled for all of its GPU's successors too.
function(fusedconv_add_warpgroup_kernels target)
  if(NOT fusedconv_has_sm_90a)
    return()
  endif()
  add_library(${target}_warpgroup OBJECT ${ARGN})
  set_target_properties(${target}_warpgroup PROPERTIES CUDA_ARCHITECTURES 90a-real
                                                       POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target}_warpgroup PRIVATE include src)
  target_compile_options(${target}_warpgroup PRIVATE -std=c++20 --expt-relaxed-constexpr)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_warpgroup>)
  target_compile_definitions(${target} PRIVATE FUSEDCONV_HAVE_WGMMA=1)
endfunction()

# fusedconv_kernel_options(<target> <source>...) sets the options of kernel files: full optimisation
# of the arithmetic that IEEE 754 allows where no trap and no errno is looked at, contraction to
# fused multiply-adds, and the instruction set of this machine with FUSEDCONV_NATIVE.
function(fusedconv_kernel_options target)
  set(candidates -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd -fira-algorithm=priority
                 -Wno-unknown-pragmas)
  if(FUSEDCONV_NATIVE)
    list(APPEND candidates -march=native)
  endif()
  fusedconv_host_options(candidates ${candidates})
  # Sigmoid and normalisation divide once per element; the approximate division of CUDA is exact to
  # two units in the last place and leaves subnormal numbers alone.
  if(Kokkos_ENABLE_CUDA)
    list(APPEND candidates -prec-div=false)
  endif()

  set(options)
  foreach(option IN LISTS candidates)
    string(MAKE_C_IDENTIFIER "FUSEDCONV_ACCEPTS_${option}" accepts)
    check_compiler_flag(${fusedconv_kokkos_language} "${option}" ${accepts})
    if(${accepts})
      list(APPEND options "${option}")
    elseif(option MATCHES "native")
      string(REPLACE "-march=native" "-mcpu=native" option "${option}")
      check_compiler_flag(${fusedconv_kokkos_language} "${option}" FUSEDCONV_ACCEPTS_MCPU_NATIVE)
      if(FUSEDCONV_ACCEPTS_MCPU_NATIVE)
        list(APPEND options "${option}")
      endif()
    endif()
  endforeach()
  list(APPEND options "$<$<NOT:$<CONFIG:Debug>>:-O3>")
  set_property(
    SOURCE ${ARGN} TARGET_DIRECTORY ${target} APPEND PROPERTY COMPILE_OPTIONS ${options})
endfunction()
