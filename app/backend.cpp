// SPDX-License-Identifier: Apache-2.0
#include "backend.hpp"

#include <algorithm>
#include <cctype>
#include <fusedconv/error.hpp>

namespace fusedconv::app {

namespace {

template <class... Spaces>
std::vector<std::string> names_of(std::type_identity<std::tuple<Spaces...>>) {
  return {backend_name(Spaces::name())...};
}

}  // namespace

std::string backend_name(const char* execution_space_name) {
  std::string name = execution_space_name;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return name;
}

std::vector<std::string> backend_names() { return names_of(std::type_identity<ExecutionSpaces>{}); }

std::string resolve_backend(const std::string& name) {
  const std::vector<std::string> names = backend_names();
  if (name == "auto") return names.front();
  if (std::find(names.begin(), names.end(), name) != names.end()) return name;
  std::string expected = "auto";
  for (const std::string& available : names) expected += ", " + available;
  throw InvalidArgument("backend", "one of " + expected, name);
}

}  // namespace fusedconv::app
