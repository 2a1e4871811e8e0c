// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_STORED_DATA_HPP
#define FUSEDCONV_APP_HDF5_STORED_DATA_HPP

#include <set>
#include <string>

#include "handle.hpp"
#include "permissions.hpp"

namespace fusedconv::app::hdf5 {

/// Checks that reading a dataset would read its file and no other, and neither run other code than
/// HDF5's, unless that is allowed. Looks at nothing but the dataset's own description.
/// \throws InvalidFile
void require_permitted_storage(const File& file, const Dataset& dataset,
                               const Permissions& permissions);

/// Checks that all of a dataset's declared elements have their data: extents alone prove nothing,
/// for HDF5 stores nothing of a dataset until it is written, and reads as zero what is missing,
/// whether in the file or in others.
/// \param dataset one whose storage is permitted
/// \return the other files in which the data lies, of external links, virtual and external datasets
/// \throws InvalidFile if the dataset is never or partly written, or larger than its files
std::set<std::string> require_stored(const File& file, const Dataset& dataset);

/// Whether a dataset lies as one piece in its own file.
bool is_contiguous(const Dataset& dataset);

}  // namespace fusedconv::app::hdf5

#endif
