# SPDX-License-Identifier: Apache-2.0

# Tests for ranks x threads. The backends are a test program's own dimension: its tests are typed
# over every execution space that Kokkos has enabled.

include(GoogleTest)

# Open MPI refuses root, more ranks than cores and, in containers, copies between processes unless
# told otherwise: these variables concern the tests alone. The last one of each pair is PRRTE's,
# which is Open MPI's launcher from version 5.
set(fusedconv_test_environment
    OMP_PROC_BIND=false
    OMPI_ALLOW_RUN_AS_ROOT=1
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
    OMPI_MCA_hwloc_base_binding_policy=none
    PRTE_MCA_hwloc_default_binding_policy=none
    OMPI_MCA_btl_vader_single_copy_mechanism=none)

# fusedconv_add_test_program(<target> [SOURCES <source>...] [HOST_SOURCES <source>...]
#                            [LIBRARIES <library>...] [THREADS <n>...] [RANKS <n>...])
#
# HOST_SOURCES do not include Kokkos and are left to the C++ compiler on every backend.
# Builds a GoogleTest program and registers its tests: without RANKS each test of the program is
# registered by itself, and runs with each number of THREADS (2 when not given); with RANKS the
# whole program is registered once for each number of ranks and threads, under the MPI launcher.
function(fusedconv_add_test_program target)
  cmake_parse_arguments(arg "" "" "SOURCES;HOST_SOURCES;LIBRARIES;THREADS;RANKS" ${ARGN})
  if(NOT arg_THREADS)
    set(arg_THREADS 2)
  endif()

  add_executable(${target})
  if(arg_SOURCES)
    fusedconv_kokkos_sources(${target} ${arg_SOURCES})
  endif()
  target_sources(${target} PRIVATE ${arg_HOST_SOURCES})
  fusedconv_warnings(${target})
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} fusedconv::fusedconv GTest::gtest)

  list(LENGTH arg_THREADS thread_choices)
  foreach(threads IN LISTS arg_THREADS)
    set(environment ${fusedconv_test_environment} OMP_NUM_THREADS=${threads})
    if(arg_RANKS)
      foreach(ranks IN LISTS arg_RANKS)
        set(name ${target}.ranks_${ranks}.threads_${threads})
        add_test(NAME ${name}
                 COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} ${MPIEXEC_PREFLAGS}
                         $<TARGET_FILE:${target}> ${MPIEXEC_POSTFLAGS})
        math(EXPR processors "${ranks} * ${threads}")
        set_tests_properties(
          ${name} PROPERTIES ENVIRONMENT "${environment}" PROCESSORS ${processors} TIMEOUT 600)
      endforeach()
    else()
      set(suffix "")
      set(tests ${target}_TESTS)
      if(thread_choices GREATER 1)
        set(tests ${target}_threads_${threads})
        set(suffix TEST_SUFFIX .threads_${threads})
      endif()
      gtest_discover_tests(
        ${target} ${suffix}
        TEST_PREFIX ${target}.
        TEST_LIST ${tests}
        DISCOVERY_MODE PRE_TEST
        PROPERTIES PROCESSORS ${threads} TIMEOUT 600)
      # gtest_discover_tests would keep the first of several variables alone.
      set(file "${CMAKE_CURRENT_BINARY_DIR}/${tests}_environment.cmake")
      file(WRITE "${file}"
           "set_tests_properties(\${${tests}} PROPERTIES ENVIRONMENT \"${environment}\")\n")
      set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${file}")
    endif()
  endforeach()
endfunction()
