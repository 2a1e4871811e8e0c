// SPDX-License-Identifier: Apache-2.0
#include "thread_affinity.hpp"

#ifdef __linux__
#include <dirent.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#endif

namespace fusedconv::app {

#ifdef __linux__

namespace {

/// What any thread may run on; nothing where that cannot be learnt.
cpu_set_t all_cpus_of_process() noexcept {
  cpu_set_t all;
  CPU_ZERO(&all);
  DIR* const threads = opendir("/proc/self/task");
  if (threads == nullptr) return all;
  while (const dirent* const entry = readdir(threads)) {
    cpu_set_t of_thread;
    const auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    // The entries "." and ".." are none, and a thread may have ended meanwhile.
    if (thread > 0 && sched_getaffinity(thread, sizeof of_thread, &of_thread) == 0) {
      CPU_OR(&all, &all, &of_thread);
    }
  }
  closedir(threads);
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
