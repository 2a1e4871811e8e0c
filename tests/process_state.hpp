// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_PROCESS_STATE_HPP
#define FUSEDCONV_TESTS_PROCESS_STATE_HPP

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fusedconv::test {

/// What a process has of the system.
struct ProcessState {
  std::int64_t resident_bytes = 0;
  std::int64_t descriptors = 0;
  std::int64_t threads = 0;
};

/// Of this process.
inline ProcessState process_state() {
  const auto entries = [](const char* directory) {
    return static_cast<std::int64_t>(std::distance(std::filesystem::directory_iterator(directory),
                                                   std::filesystem::directory_iterator()));
  };
  ProcessState state;
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  state.resident_bytes = pages * sysconf(_SC_PAGESIZE);
  state.descriptors = entries("/proc/self/fd");
  state.threads = entries("/proc/self/task");
  return state;
}

}  // namespace fusedconv::test

#endif
