// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_PROBLEM_HPP
#define FUSEDCONV_TESTS_PROBLEM_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <vector>

namespace fusedconv::test {

/// A layer and its input in host memory, NCHW without gaps; an empty parameter stands for its
/// default.
struct Problem {
  Shape shape;
  std::vector<float> input;
  std::vector<float> conv_weight;
  std::vector<float> conv_bias;
  std::vector<float> bias;
  std::vector<float> scale;
  std::vector<float> group_norm_weight;
  std::vector<float> group_norm_bias;
};

/// Values as a PyTorch module starts with, and a group_norm that is not the identity.
Problem random_problem(const Shape& shape, std::uint64_t seed);

/// The same layer for `count` images from image `first` on.
Problem cut_batch(const Problem& problem, std::int64_t first, std::int64_t count);

}  // namespace fusedconv::test

#endif
