// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_RUN_PROGRAM_HPP
#define FUSEDCONV_TESTS_RUN_PROGRAM_HPP

#include <string>

namespace fusedconv::test {

struct ProgramResult {
  int exit_code = 0;
  std::string output;  ///< standard output and standard error, as they came
};

/// Runs a command line through the shell and waits for its end.
/// \throws std::runtime_error if it cannot be run or ends by a signal
ProgramResult run_program(const std::string& command);

}  // namespace fusedconv::test

#endif
