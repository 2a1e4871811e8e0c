// SPDX-License-Identifier: Apache-2.0
#include "thread_affinity.hpp"

#ifdef __linux__
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#endif

namespace fusedconv::app {

#ifdef __linux__

namespace {

/// What any thread may run on; nothing where that cannot be learnt.
cpu_set_t all_cpus_of_process() noexcept {
  cpu_set_t all;
  CPU_ZERO(&all);
  std::error_code error;
  std::filesystem::directory_iterator threads("/proc/self/task", error);
  for (; !error && threads != std::filesystem::directory_iterator(); threads.increment(error)) {
    cpu_set_t of_thread;
    const int thread = std::atoi(threads->path().filename().c_str());
    // A thread may have ended meanwhile.
    if (sched_getaffinity(thread, sizeof of_thread, &of_thread) == 0) {
      CPU_OR(&all, &all, &of_thread);
    }
  }
  return all;
}

}  // namespace

void run_on_all_cpus_of_process() noexcept {
  const cpu_set_t all = all_cpus_of_process();
  // Where this fails the thread stays where it is, which is slower and nothing worse.
  if (CPU_COUNT(&all) > 0) sched_setaffinity(0, sizeof all, &all);
}

int cpus_of_process() noexcept {
  const cpu_set_t all = all_cpus_of_process();
  return std::max(1, CPU_COUNT(&all));
}

int cpus_online() noexcept { return std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN))); }

#else

void run_on_all_cpus_of_process() noexcept {}

int cpus_of_process() noexcept { return 1; }

int cpus_online() noexcept { return 1; }

#endif

}  // namespace fusedconv::app
