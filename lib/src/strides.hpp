// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_STRIDES_HPP
#define FUSEDCONV_SRC_STRIDES_HPP

#include <array>
#include <cstddef>
#include <fusedconv/error.hpp>
#include <string>

namespace fusedconv::detail {

/// "(1, 2, 3, 4)"
template <class Number>
std::string in_parentheses(const std::array<Number, 4>& numbers) {
  std::string words = "(";
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    words += (i == 0 ? "" : ", ") + std::to_string(numbers[i]);
  }
  return words + ")";
}

/// A View's strides must be those of LayoutRight, but along extents of 1 (or in a View without
/// elements), where they are of no consequence.
inline void require_strides_of_layout_right(const std::string& name,
                                            const std::array<std::size_t, 4>& extents,
                                            const std::array<std::size_t, 4>& strides) {
  std::array<std::size_t, 4> expected{};
  std::array<std::size_t, 4> found{};
  std::size_t size = 1;
  for (std::size_t i = extents.size(); i-- > 0;) {
    expected[i] = size;
    found[i] = extents[i] > 1 ? strides[i] : size;
    size *= extents[i];
  }
  if (size == 0 || found == expected) return;
  const bool is_channels_last = found[1] == 1 && found[3] == extents[1];
  throw InvalidArgument(
      name, "a View without gaps, of strides " + in_parentheses(expected),
      "strides " + in_parentheses(found) +
          (is_channels_last ? ", channels last: copy it to a View of LayoutRight (N, C, H, W)"
                            : ": copy it to a View of LayoutRight that is not padded"));
}

}  // namespace fusedconv::detail

#endif
