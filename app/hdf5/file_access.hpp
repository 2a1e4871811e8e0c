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

/// Access properties with which ranks open one file together: MPI-IO where there are several.
///
/// What is written of a contiguous dataset goes to the operating system at once, whatever its size.
PropertyList access_by(const Communicator& communicator, const Hints& hints = {});

/// Access properties with which one process opens a file for itself: data in other files, of
/// virtual and external datasets, is not to be had through MPI-IO.
PropertyList access_alone();

/// Access properties with which one rank creates a file: through MPI-IO where there are hints, some
/// of which (the stripes of a parallel file system) count when a file is made and never again.
PropertyList access_to_create(const Hints& hints);

}  // namespace fusedconv::app::hdf5

#endif
