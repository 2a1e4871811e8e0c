// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_THREAD_AFFINITY_HPP
#define FUSEDCONV_APP_THREAD_AFFINITY_HPP

namespace fusedconv::app {

/// Lets the calling thread run wherever any thread of this process may. A thread inherits the place
/// to which OpenMP has bound the one that starts it, and would take turns with it on one core. Does
/// nothing on systems other than Linux.
void run_on_all_cpus_of_process() noexcept;

/// Processors on which some thread of this process may run; at least 1.
int cpus_of_process() noexcept;
/// Processors that the system has, for whatever process; at least 1.
int cpus_online() noexcept;

}  // namespace fusedconv::app

#endif
