// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_FILE_ACCESS_HPP
#define FUSEDCONV_APP_HDF5_FILE_ACCESS_HPP

#include <mpi.h>

#include <string>
#include <utility>
#include <vector>

#include "handle.hpp"

namespace fusedconv::app {
class Communicator;
}

namespace fusedconv::app::hdf5 {

/// Hints to MPI-IO: (key, value).
using Hints = std::vector<std::pair<std::string, std::string>>;

/// Access properties with which ranks write one file together: MPI-IO where there are several.
///
/// What is written of a contiguous dataset goes to the operating system at once, whatever its size.
PropertyList access_by(const Communicator& communicator, const Hints& hints = {});

/// Access properties with which a process opens a file for itself, as each rank does to read.
///
/// MPI-IO is not for reading: with Open MPI 4.1 and HDF5 1.10.8 jobs went on, and to their end,
/// with what the system could not read. Nor has it data in other files, of virtual and external
/// datasets.
PropertyList access_alone();

/// Access properties with which one rank creates a file: through MPI-IO where there are hints, some
/// of which (the stripes of a parallel file system) count when a file is made and never again.
PropertyList access_to_create(const Hints& hints);

}  // namespace fusedconv::app::hdf5

#endif
