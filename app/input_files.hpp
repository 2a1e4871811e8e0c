// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_INPUT_FILES_HPP
#define FUSEDCONV_APP_INPUT_FILES_HPP

#include <string>
#include <vector>

namespace fusedconv::app {

/// The files that arguments name, in their order: an argument that is no file and has one of *, ?
/// and [ stands for the files that match it, in the order of their names. No file comes twice,
/// under whatever name. \throws hdf5::InvalidFile if no file matches a pattern
std::vector<std::string> expand_inputs(const std::vector<std::string>& arguments);

/// "x.h5" -> "x_output.h5"; a name that does not end in ".h5" gets "_output.h5" appended.
std::string default_output(const std::string& input);

/// The outputs of inputs in a directory, named by default_output() without the inputs' directories.
/// \throws hdf5::InvalidFile if two of them are the same
std::vector<std::string> outputs_in(const std::string& directory,
                                    const std::vector<std::string>& inputs);

}  // namespace fusedconv::app

#endif
