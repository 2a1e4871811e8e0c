# SPDX-License-Identifier: Apache-2.0

# cmake -DSOURCE=<checkout> -DBUILD=<its build> -DVERSION=<fusedconv's> -DBACKENDS=<its backends>
#       -DKOKKOS_VERSION=<its Kokkos's> -DDIR=<directory to work in> -DGENERATOR=<generator>
#       -DCOMPILER=<C++ compiler> -P check_refusals.cmake
#
# A Kokkos that does not do is refused at configure time in a sentence that says what would, and so
# is a fusedconv of another version than was asked for. The Kokkos are empty packages.

include("${CMAKE_CURRENT_LIST_DIR}/../run_command.cmake")

file(REMOVE_RECURSE "${DIR}")

# kokkos_package(<name> <version> <devices>): writes a Kokkos package into ${DIR}/<name>.
function(kokkos_package name version devices)
  file(WRITE "${DIR}/${name}/KokkosConfig.cmake"
       "set(Kokkos_DEVICES \"${devices}\")\n"
       "foreach(device IN LISTS Kokkos_DEVICES)\n"
       "  set(Kokkos_ENABLE_\${device} ON)\n"
       "endforeach()\n"
       "add_library(Kokkos::kokkos INTERFACE IMPORTED)\n")
  file(WRITE "${DIR}/${name}/KokkosConfigVersion.cmake"
       "set(PACKAGE_VERSION ${version})\n"
       "set(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
endfunction()

# Building the library.
set(configure
    ${CMAKE_COMMAND} -S "${SOURCE}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
    -DFUSEDCONV_BUILD_APP=OFF -DFUSEDCONV_BUILD_TESTS=OFF)

kokkos_package(old 4.4.1 SERIAL)
refused_command(
  SAYS "Kokkos 4.5 or later is needed, but Kokkos 4.4.1 is in ${DIR}/old"
       "give Kokkos_ROOT of another one"
  COMMAND ${configure} -B "${DIR}/build_old" "-DKokkos_DIR=${DIR}/old")

kokkos_package(unknown_backend 4.5.1 HPX)
refused_command(
  SAYS "The Kokkos in ${DIR}/unknown_backend has no backend that fusedconv has kernels for"
       "only [HPX]" "one that was built with Kokkos_ENABLE_SERIAL, Kokkos_ENABLE_OPENMP"
  COMMAND ${configure} -B "${DIR}/build_unknown" "-DKokkos_DIR=${DIR}/unknown_backend")

kokkos_package(serial 4.5.1 SERIAL)
refused_command(
  SAYS "Kokkos_ENABLE_CUDA was asked for, but the Kokkos in ${DIR}/serial has only SERIAL"
       "give Kokkos_ROOT of one that has it"
  COMMAND ${configure} -B "${DIR}/build_cuda" "-DKokkos_DIR=${DIR}/serial" -DKokkos_ENABLE_CUDA=ON)

refused_command(
  SAYS "Kokkos was not found: run scripts/setup, give Kokkos_ROOT, or set FUSEDCONV_FETCH_KOKKOS"
  COMMAND ${configure} -B "${DIR}/build_none" -DFUSEDCONV_FETCH_KOKKOS=OFF
          -DCMAKE_DISABLE_FIND_PACKAGE_Kokkos=ON)

# Using the library.
run_command(${CMAKE_COMMAND} --install "${BUILD}/lib" --prefix "${DIR}/prefix")
file(WRITE "${DIR}/user/CMakeLists.txt"
     "cmake_minimum_required(VERSION 3.25)\n"
     "project(user LANGUAGES NONE)\n"
     "find_package(fusedconv \${VERSION} REQUIRED)\n")
set(configure ${CMAKE_COMMAND} -S "${DIR}/user" -G "${GENERATOR}"
              "-Dfusedconv_ROOT=${DIR}/prefix")

kokkos_package(another 99.0.0 "${BACKENDS}")
refused_command(
  SAYS "fusedconv was built with Kokkos" "but Kokkos 99.0.0 (" "is in ${DIR}/another"
       "or build fusedconv with the latter"
  COMMAND ${configure} -B "${DIR}/build_another" "-DKokkos_DIR=${DIR}/another")

kokkos_package(other_backends ${KOKKOS_VERSION} HPX)
refused_command(
  SAYS "fusedconv was built with Kokkos ${KOKKOS_VERSION} (${BACKENDS})"
       "but Kokkos ${KOKKOS_VERSION} (HPX) is in ${DIR}/other_backends"
  COMMAND ${configure} -B "${DIR}/build_other" "-DKokkos_DIR=${DIR}/other_backends")

string(REGEX MATCH "^[0-9]+\\.[0-9]+" minor_version "${VERSION}")
foreach(wanted IN ITEMS "${minor_version}.99" 99)
  refused_command(
    SAYS "requested version" "\"${wanted}\"" "version: ${VERSION}"
    COMMAND ${configure} -B "${DIR}/build_version" -DVERSION=${wanted} "-DKokkos_DIR=${DIR}/another")
endforeach()
