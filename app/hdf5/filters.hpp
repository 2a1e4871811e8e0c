// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_FILTERS_HPP
#define FUSEDCONV_APP_HDF5_FILTERS_HPP

#include "handle.hpp"
#include "permissions.hpp"

namespace fusedconv::app::hdf5 {

/// Keeps HDF5 from loading plugins from now on, whatever a file or the environment demands. Filters
/// that were loaded before stay.
void forbid_plugins();

/// Checks that HDF5 has the filters that a dataset's chunks have gone through.
/// \throws InvalidFile
void require_filters(const File& file, const Dataset& dataset, const Permissions& permissions);

}  // namespace fusedconv::app::hdf5

#endif
