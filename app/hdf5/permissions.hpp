// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_PERMISSIONS_HPP
#define FUSEDCONV_APP_HDF5_PERMISSIONS_HPP

namespace fusedconv::app::hdf5 {

/// What files may do that a job reads and others wrote. Nothing of it can be told from the outside
/// of a file, so that it is refused unless the user allows it.
struct Permissions {
  /// Have their data in further files: by external links, as virtual or as external datasets.
  bool other_files = false;
  /// Demand filters that HDF5 loads from plugins, which is to run code.
  bool filter_plugins = false;
};

}  // namespace fusedconv::app::hdf5

#endif
