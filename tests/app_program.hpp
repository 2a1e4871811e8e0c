// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_APP_PROGRAM_HPP
#define FUSEDCONV_TESTS_APP_PROGRAM_HPP

#include <string>
#include <vector>

namespace fusedconv::test {

struct AppResult {
  int exit_code = 0;
  std::string standard_output;
  std::string standard_error;  ///< less the warning that ranks share GPUs

  /// The lines of standard error that fusedconv_app wrote, the launcher's left out.
  std::vector<std::string> messages() const;
};

/// How fusedconv_app is started.
struct AppLaunch {
  int ranks = 0;            ///< 0: without the MPI launcher
  int threads = 2;          ///< OMP_NUM_THREADS
  std::string before = {};  ///< commands of the shell that go before, with `&&` at their end
  std::string fault = {};   ///< what is to go wrong, as faults/fault.hpp says; empty: nothing
  std::string found = {};   ///< file that tells what came of the fault
};

/// Runs the installed fusedconv_app. One that takes longer than two minutes is killed, and exits
/// with 124 or 137.
/// \param arguments as for the shell: quoted where needed
AppResult run_app(const std::string& arguments, const AppLaunch& launch = {});

/// "without mpirun", "on 3 ranks", ...
std::string to_string(const AppLaunch& launch);

}  // namespace fusedconv::test

#endif
