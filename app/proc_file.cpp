// SPDX-License-Identifier: Apache-2.0
#include "proc_file.hpp"

#include <fstream>

namespace fusedconv::app {

std::string value_in(const std::filesystem::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t value = line.find_first_not_of(" \t", line.find(':') + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

}  // namespace fusedconv::app
