# SPDX-License-Identifier: Apache-2.0

# cmake -DWAY=<installed|subdirectory|fetched> -DSOURCE=<checkout> -DBUILD=<its build>
#       -DDIR=<directory to work in> -DGENERATOR=<generator> -DCOMPILER=<C++ compiler>
#       [-DFLAGS=<C++ flags>] [-DKOKKOS=<directory of KokkosConfig.cmake>] -P check.cmake
#
# Configures, builds and runs the consumer, and compares what its file is compiled with to what it
# would be with Kokkos alone.

include("${CMAKE_CURRENT_LIST_DIR}/../run_command.cmake")

file(REMOVE_RECURSE "${DIR}")
if(WAY STREQUAL "installed")
  run_command(${CMAKE_COMMAND} --install "${BUILD}/lib" --prefix "${DIR}/prefix")
  # The package can be moved and used without what it was built from.
  file(GLOB_RECURSE package_files "${DIR}/prefix/*.cmake" "${DIR}/prefix/*.hpp")
  foreach(file IN LISTS package_files)
    file(READ "${file}" text)
    foreach(place IN ITEMS "${SOURCE}" "${BUILD}" "${DIR}")
      string(FIND "${text}" "${place}" found)
      if(NOT found EQUAL -1)
        message(FATAL_ERROR "${file} names ${place}.")
      endif()
    endforeach()
  endforeach()
  set(include_directory "-isystem ${DIR}/prefix/include")
  set(arguments "-Dfusedconv_ROOT=${DIR}/prefix")
else()
  set(include_directory "-I${SOURCE}/lib/include")
  set(arguments "-DFUSEDCONV_SOURCE=${SOURCE}")
endif()

# First without a build type, as a project that sets none, then with what builds fastest.
run_command(
  ${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}" -B "${DIR}/build" -G "${GENERATOR}"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DKokkos_DIR=${KOKKOS}"
  -DWAY=${WAY} ${arguments})
run_command(${CMAKE_COMMAND} -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG= "${DIR}/build")
run_command(${CMAKE_COMMAND} --build "${DIR}/build" --parallel 1)
run_command("${DIR}/build/consumer")

# What the consumer installs has nothing of the library's unless it asks for that.
if(NOT WAY STREQUAL "installed")
  run_command(${CMAKE_COMMAND} --install "${DIR}/build" --prefix "${DIR}/prefix")
  file(GLOB_RECURSE installed "${DIR}/prefix/*")
  if(installed)
    message(FATAL_ERROR "The consumer installs ${installed}.")
  endif()
endif()

# compile_command(<target> <variable>): the command of consumer.cpp in this target, without the
# names that are different for each target.
file(READ "${DIR}/build/compile_commands.json" commands)
string(JSON number LENGTH "${commands}")
math(EXPR last "${number} - 1")
function(compile_command target out)
  foreach(i RANGE ${last})
    string(JSON command GET "${commands}" ${i} command)
    if(command MATCHES "${target}\\.dir/")
      string(REPLACE "${target}.dir/" "" command "${command}")
      string(REGEX REPLACE " +" " " command "${command}")
      set(${out} "${command}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "${DIR}/build/compile_commands.json has no command of ${target}.")
endfunction()
compile_command(consumer with_fusedconv)
compile_command(kokkos_alone expected)
string(FIND "${with_fusedconv}" " ${include_directory} " found)
if(found EQUAL -1)
  message(FATAL_ERROR "Expected ${include_directory} in:\n${with_fusedconv}")
endif()
string(REPLACE " ${include_directory} " " " found "${with_fusedconv}")
if(NOT found STREQUAL expected)
  message(FATAL_ERROR "Linking fusedconv changes more than includes: expected\n${expected}\n"
                      "found\n${found}")
endif()
