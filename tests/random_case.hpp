// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_RANDOM_CASE_HPP
#define FUSEDCONV_TESTS_RANDOM_CASE_HPP

#include <cstdint>
#include <string>

#include "problem.hpp"

namespace fusedconv::test {

/// How a caller's Views of x and y look.
enum class CallersViews {
  layout_right,
  strided,         ///< LayoutStride with the strides of LayoutRight
  rank_three,      ///< (C, H, W); of one image alone
  part_of_larger,  ///< the middle of Views with an image more on both sides
};

/// A layer of any shape with any data: ordinary, or extreme in one way or in all.
struct RandomCase {
  Problem problem;
  CallersViews views = CallersViews::layout_right;
  /// Data as of a trained layer, if in other units: what float32 promises of it is meant.
  bool is_ordinary = false;
  std::string description;  ///< what kinds of data there are, in words
};

/// The same case for the same seed, whatever the platform.
RandomCase random_case(std::uint64_t seed);

}  // namespace fusedconv::test

#endif
