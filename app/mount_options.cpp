// SPDX-License-Identifier: Apache-2.0
#include "mount_options.hpp"

#include <sstream>

namespace fusedconv::app {

std::string mount_options(std::istream& mountinfo, const std::string& device) {
  for (std::string line; std::getline(mountinfo, line);) {
    std::istringstream words(line);
    std::string mount, parent, of_device, word;
    words >> mount >> parent >> of_device;
    if (of_device != device) continue;
    // A dash ends the fields of which there may be any number.
    while (words >> word && word != "-") {
    }
    std::string type, source, options;
    words >> type >> source >> options;
    return options;
  }
  return "";
}

bool has_huge_pages(const std::string& options) {
  std::istringstream stream(options);
  for (std::string option; std::getline(stream, option, ',');) {
    if (option.starts_with("huge=")) return option != "huge=never";
  }
  return false;
}

}  // namespace fusedconv::app
