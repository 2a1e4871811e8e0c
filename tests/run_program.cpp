// SPDX-License-Identifier: Apache-2.0
#include "run_program.hpp"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <stdexcept>

namespace fusedconv::test {

ProgramResult run_program(const std::string& command) {
  std::FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error(command + ": could not be run");
  ProgramResult result;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  if (!WIFEXITED(status)) throw std::runtime_error(command + ": no exit code\n" + result.output);
  result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace fusedconv::test
