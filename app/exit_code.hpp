// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_EXIT_CODE_HPP
#define FUSEDCONV_APP_EXIT_CODE_HPP

namespace fusedconv::app {

// Unscoped, for main returns them as they are.
// NOLINTNEXTLINE(cppcoreguidelines-use-enum-class)
enum ExitCode : int {
  done = 0,
  failed_while_running = 1,
  bad_input_or_usage = 2,
  verification_failed = 3,
  interrupted = 4,
};

}  // namespace fusedconv::app

#endif
