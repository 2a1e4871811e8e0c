// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_WRITTEN_FILES_HPP
#define FUSEDCONV_APP_WRITTEN_FILES_HPP

#include <string>
#include <vector>

#include "input.hpp"

namespace fusedconv::app {

/// Checks that no file that is read, or written for another purpose, is one that is written,
/// through links of either kind and whether or not the files exist yet, and that each has a
/// directory. \throws hdf5::InvalidFile
void check_written_files(const CommandLine& line, const std::vector<InputFile>& files);

}  // namespace fusedconv::app

#endif
