// SPDX-License-Identifier: Apache-2.0
#include "passive_waiting.hpp"

#ifdef __linux__
#include <unistd.h>

#include <cstdlib>
#endif

namespace fusedconv::app {

void wait_passively([[maybe_unused]] char** argv) {
#ifdef __linux__
  constexpr const char* policy = "OMP_WAIT_POLICY";
  if (std::getenv(policy) != nullptr || setenv(policy, "passive", 0) != 0) return;
  // Returns only where it fails; the program then goes on as it is, slower and nothing worse.
  execv("/proc/self/exe", argv);
#endif
}

}  // namespace fusedconv::app
