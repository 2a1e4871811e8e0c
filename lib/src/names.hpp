// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_NAMES_HPP
#define FUSEDCONV_SRC_NAMES_HPP

#include <array>
#include <cstddef>
#include <fusedconv/error.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace fusedconv::detail {

/// The values of an enumeration as users know them.
template <class Value, std::size_t count>
using Names = std::array<std::pair<Value, std::string_view>, count>;

/// "unknown" for what is no value of the enumeration.
template <class Value, std::size_t count>
std::string_view name_of(const Names<Value, count>& names, Value value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  return "unknown";
}

/// "one of NAME, NAME, NAME"
template <class Value, std::size_t count>
std::string one_of(const Names<Value, count>& names) {
  std::string text;
  for (const auto& entry : names) {
    text += text.empty() ? "one of " : ", ";
    text += entry.second;
  }
  return text;
}

/// \throws InvalidArgument naming the object, with the names there are
template <class Value, std::size_t count>
Value value_of(const char* object, const Names<Value, count>& names, std::string_view name) {
  for (const auto& [value, known] : names) {
    if (known == name) return value;
  }
  std::string found("'");
  found += name;
  found += '\'';
  throw InvalidArgument(object, one_of(names), found);
}

}  // namespace fusedconv::detail

#endif
