// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_TIMER_HPP
#define FUSEDCONV_APP_TIMER_HPP

#include <chrono>

namespace fusedconv::app {

/// Measures from its construction on.
class Timer {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

}  // namespace fusedconv::app

#endif
