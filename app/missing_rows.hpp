// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_MISSING_ROWS_HPP
#define FUSEDCONV_APP_MISSING_ROWS_HPP

#include <cstdint>
#include <vector>

#include "hdf5/images.hpp"

namespace fusedconv::app {

/// What there still is of an output when some of it is complete.
/// \param images   of the output
/// \param rows     of an image of the output
/// \param complete in any order, overlapping or not; what lies outside the output counts for
/// nothing \return in order: whole images together, as many as there are in a row, parts of an
/// image apart
std::vector<hdf5::Region> missing_rows(std::int64_t images, std::int64_t rows,
                                       const std::vector<hdf5::Region>& complete);

/// The images of which all rows are there, when these are missing.
std::int64_t complete_images(std::int64_t images, const std::vector<hdf5::Region>& missing);

}  // namespace fusedconv::app

#endif
