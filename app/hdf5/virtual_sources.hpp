// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_VIRTUAL_SOURCES_HPP
#define FUSEDCONV_APP_HDF5_VIRTUAL_SOURCES_HPP

#include <set>
#include <string>

#include "handle.hpp"

/// Virtual datasets, of which HDF5 reads as zero what no source has.
namespace fusedconv::app::hdf5 {

/// Checks that a virtual dataset's mappings name their sources and are of fixed extents, so that to
/// ask for its extents opens no file.
/// \throws InvalidFile
void require_fixed_sources(const File& file, const Dataset& dataset);

/// Checks that the sources of a virtual dataset are there, have their data, and cover all of it.
/// \return the other files in which the data lies
/// \throws InvalidFile
std::set<std::string> require_sources(const File& file, const Dataset& dataset);

}  // namespace fusedconv::app::hdf5

#endif
