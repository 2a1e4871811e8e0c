// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_TEXT_PATTERN_HPP
#define FUSEDCONV_TESTS_TEXT_PATTERN_HPP

#include <cctype>
#include <string>

namespace fusedconv::test {

/// Whether a text begins as a pattern says, in which # stands for digits.
inline bool begins_with(const std::string& text, const std::string& pattern) {
  std::size_t at = 0;
  for (const char expected : pattern) {
    if (expected == '#') {
      const std::size_t digits = at;
      while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
      if (at == digits) return false;
    } else {
      if (at == text.size() || text[at] != expected) return false;
      ++at;
    }
  }
  return true;
}

}  // namespace fusedconv::test

#endif
