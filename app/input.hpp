// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_INPUT_HPP
#define FUSEDCONV_APP_INPUT_HPP

#include <cstdint>
#include <string>
#include <variant>

#include "command_line.hpp"
#include "communicator.hpp"
#include "exit_code.hpp"
#include "hdf5/layer_file.hpp"

namespace fusedconv::app {

/// What is wrong with an input, in one sentence.
struct Rejection {
  ExitCode code = bad_input_or_usage;
  std::string sentence;
};

/// Rank 0 reads and checks all files that a job names, alone and without MPI-IO, and tells the
/// others: every rank returns the same, so that a bad input ends all of them in good order.
std::variant<hdf5::LayerFile, Rejection> read_input(const CommandLine& line,
                                                    const Communicator& communicator);

}  // namespace fusedconv::app

#endif
