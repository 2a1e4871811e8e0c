// SPDX-License-Identifier: Apache-2.0
#include "app_program.hpp"

#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>

#include "run_program.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {

namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Without the warning that depends on how many GPUs this machine has for the ranks of a test.
std::string without_gpu_warning(const std::string& text) {
  const std::string warning =
      "fusedconv_app: warning: ranks share GPUs, for a node has more ranks than GPUs\n";
  const std::size_t place = text.find(warning);
  return place == std::string::npos ? text : std::string(text).erase(place, warning.size());
}

}  // namespace

std::vector<std::string> AppResult::messages() const {
  std::vector<std::string> lines;
  std::istringstream stream(standard_error);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("fusedconv_app: ")) lines.push_back(line);
  }
  return lines;
}

AppResult run_app(const std::string& arguments, const AppLaunch& launch) {
  const TemporaryDirectory directory;
  // Open MPI's directory of a session is its own too: programs that end remove one they share.
  std::string command = "( " + launch.before + " TMPDIR=" + directory.path().string() +
                        " OMP_NUM_THREADS=" + std::to_string(launch.threads);
  if (!launch.fault.empty()) {
    command += " LD_PRELOAD=" FUSEDCONV_TEST_FAULTS
               ":$LD_PRELOAD KOKKOS_TOOLS_LIBS=" FUSEDCONV_TEST_FAULTS " FUSEDCONV_TEST_FAULT=" +
               launch.fault;
    if (!launch.found.empty()) command += " FUSEDCONV_TEST_FAULT_FOUND=" + launch.found;
  }
  command += " timeout --kill-after=5 120 ";
  if (launch.ranks > 0) command += FUSEDCONV_MPIEXEC " " + std::to_string(launch.ranks) + " ";
  command += FUSEDCONV_APP " " + arguments;
  // Files in memory may be written without the calls that are to fail.
  if (!launch.fault.empty() && arguments.find("--hdf5-transfer") == std::string::npos) {
    command += " --hdf5-transfer independent";
  }
  command += " </dev/null >" + directory.file("out") + " 2>" + directory.file("err") + " )";
  AppResult result;
  result.exit_code = run_program(command).exit_code;
  result.standard_output = content(directory.file("out"));
  result.standard_error = without_gpu_warning(content(directory.file("err")));
  return result;
}

std::string to_string(const AppLaunch& launch) {
  if (launch.ranks == 0) return "without mpirun";
  return "on " + std::to_string(launch.ranks) + " ranks";
}

}  // namespace fusedconv::test
