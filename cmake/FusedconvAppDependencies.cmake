# SPDX-License-Identifier: Apache-2.0

# What the application and the tests use besides Kokkos.

enable_language(C)
find_package(MPI REQUIRED COMPONENTS C)
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "The application needs an HDF5 built with MPI, but HDF5 ${HDF5_VERSION} "
                      "(${HDF5_C_LIBRARIES}) is not; give HDF5_ROOT of a parallel one.")
endif()
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
