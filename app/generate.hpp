// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_GENERATE_HPP
#define FUSEDCONV_APP_GENERATE_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <string>

namespace fusedconv::app {

/// Writes an input file with the values of RandomLayer. It appears as `path` when it is whole, and
/// is `path`.part until then. \param block_elements elements in memory at a time; values do not
/// depend on it \throws hdf5::Error or std::filesystem::filesystem_error if the file cannot be
/// written
void generate_input_file(const std::string& path, const Shape& shape, std::uint64_t seed,
                         std::int64_t block_elements = std::int64_t{1} << 22);

}  // namespace fusedconv::app

#endif
