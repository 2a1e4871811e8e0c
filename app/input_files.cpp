// SPDX-License-Identifier: Apache-2.0
#include "input_files.hpp"

#include <glob.h>

#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <system_error>

#include "hdf5/checked_open.hpp"

namespace fusedconv::app {

namespace {

namespace fs = std::filesystem;

class Matches {
 public:
  explicit Matches(const std::string& pattern) {
    const int status = ::glob(pattern.c_str(), 0, nullptr, &found_);
    if (status != 0 && status != GLOB_NOMATCH) {
      throw std::runtime_error(pattern + ": could not look for files that match");
    }
  }
  Matches(const Matches&) = delete;
  Matches& operator=(const Matches&) = delete;
  ~Matches() { ::globfree(&found_); }

  std::vector<std::string> names() const {
    return {found_.gl_pathv, found_.gl_pathv + found_.gl_pathc};
  }

 private:
  glob_t found_{};
};

std::vector<std::string> matching(const std::string& argument) {
  std::error_code ignored;
  if (argument.find_first_of("*?[") == std::string::npos || fs::exists(argument, ignored)) {
    return {argument};
  }
  std::vector<std::string> names = Matches(argument).names();
  if (names.empty()) {
    throw hdf5::InvalidFile(argument, "input", "a file that matches", "none");
  }
  return names;
}

}  // namespace

std::vector<std::string> expand_inputs(const std::vector<std::string>& arguments) {
  std::vector<std::string> inputs;
  std::set<fs::path> seen;
  for (const std::string& argument : arguments) {
    for (const std::string& name : matching(argument)) {
      std::error_code unreadable;  // which is told when it is opened
      const fs::path canonical = fs::weakly_canonical(name, unreadable);
      if (seen.insert(unreadable ? fs::path(name) : canonical).second) inputs.push_back(name);
    }
  }
  return inputs;
}

std::string default_output(const std::string& input) {
  const std::string suffix = ".h5";
  const std::string stem =
      input.ends_with(suffix) ? input.substr(0, input.size() - suffix.size()) : input;
  return stem + "_output" + suffix;
}

std::vector<std::string> outputs_in(const std::string& directory,
                                    const std::vector<std::string>& inputs) {
  std::vector<std::string> outputs;
  std::map<std::string, std::string> input_of;
  for (const std::string& input : inputs) {
    const std::string output =
        fs::path(directory) / default_output(fs::path(input).filename().string());
    const auto [other, is_first] = input_of.emplace(output, input);
    if (!is_first) {
      throw hdf5::InvalidFile(input, "input", "a name that no other input has",
                              "the name of " + other->second + ", whose output would be " + output);
    }
    outputs.push_back(output);
  }
  return outputs;
}

}  // namespace fusedconv::app
