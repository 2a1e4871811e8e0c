// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_INPUT_HPP
#define FUSEDCONV_APP_INPUT_HPP

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "command_line.hpp"
#include "communicator.hpp"
#include "exit_code.hpp"
#include "file_state.hpp"
#include "hdf5/layer_file.hpp"

namespace fusedconv::app {

/// What is wrong with an input, in one sentence.
struct Rejection {
  ExitCode code = bad_input_or_usage;
  std::string sentence;
};

/// A file to compute.
struct InputFile {
  std::string name;
  std::string output;
  std::string reference;  ///< empty: nothing to verify
  FileState state;
  /// Further files in which the images lie, where that is allowed.
  std::vector<std::pair<std::string, FileState>> other_files;
  std::int64_t images = 0;
  std::int64_t element_bytes = 0;  ///< of an element of `input` as it is stored
};

/// Files of one layer, whose images differ in number alone.
struct JobInput {
  hdf5::LayerFile layer;  ///< `shape.batch` is the number of images of all files
  std::vector<InputFile> files;
};

/// Rank 0 reads and checks all files that a command line names, alone and without MPI-IO, and tells
/// the others: every rank returns the same, so that a bad input ends all of them in good order,
/// before anything is computed.
/// \return the files in their order, neighbours with equal layers together
std::variant<std::vector<JobInput>, Rejection> read_inputs(const CommandLine& line,
                                                           const Communicator& communicator);

}  // namespace fusedconv::app

#endif
