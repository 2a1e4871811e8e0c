// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "reference.hpp"
#include "rounding.hpp"
#include "shapes.hpp"

namespace fusedconv::test {
namespace {

// Worked by hand: x = [[1, 2], [3, 4]], kernel [[1, 0], [0, -1]], padding 1.
TEST(Reference, ConvolutionWorkedByHand) {
  Problem problem;
  problem.shape = {.height = 2, .width = 2, .kernel_size = {2, 2}, .padding = {1, 1}};
  problem.input = {1, 2, 3, 4};
  problem.conv_weight = {1, 0, 0, -1};
  problem.conv_bias = {10};
  EXPECT_EQ(convolution(problem), (std::vector<double>{9, 8, 10, 7, 7, 12, 10, 13, 14}));
}

// s = (1/2, 9/10): mean 7/10, variance 4/100; eps = 12/100 makes sigma 4/10.
TEST(Reference, NormalisationWorkedByHand) {
  Problem problem;
  problem.shape = {.width = 2, .eps = 0.12};
  problem.input = {0, 1};
  problem.conv_weight = {1};
  problem.conv_bias = {-3};
  problem.bias = {3};
  problem.scale = {static_cast<float>(std::log(9.0))};
  problem.group_norm_weight = {8};
  problem.group_norm_bias = {1};
  const std::vector<double> y = reference(problem);
  ASSERT_EQ(y.size(), 2U);
  EXPECT_NEAR(y[0], -3, 1e-6);  // scale is rounded to float
  EXPECT_NEAR(y[1], 5, 1e-6);
}

// The tolerance is worth something only if arithmetic that is not float32-accurate exceeds it.
TEST(Rounding, ToleranceRejectsTensorFloat32) {
  for (const auto& [name, shape] : shape_grid) {
    if (shape.output_size() < 100) continue;  // too few errors for their norm to mean much
    SCOPED_TRACE(name);
    const Problem problem = random_problem(shape, 1);
    Problem rounded = problem;  // to TF32's 10 bits after the leading one
    for (std::vector<float>* values : {&rounded.input, &rounded.conv_weight}) {
      for (float& value : *values) {
        int exponent = 0;
        const float mantissa = std::frexp(value, &exponent);
        value = std::ldexp(std::nearbyint(std::ldexp(mantissa, 11)), exponent - 11);
      }
    }
    const std::vector<double> wrong = reference(rounded);
    const std::vector<float> y(wrong.begin(), wrong.end());
    EXPECT_GT(l2_distance(y, reference(problem)), 10 * float32_tolerance(problem));
  }
}

// Groups of one channel are left out: where that channel's scale is small, so is the variance that
// everything is divided by.
TEST(Rounding, ToleranceIsOfTheOrderOfFloat32) {
  for (const auto& [name, shape] : shape_grid) {
    if (shape.output_size() < 100 || shape.channels_per_norm_group() == 1) continue;
    SCOPED_TRACE(name);
    const Problem problem = random_problem(shape, 1);
    const std::vector<double> y = reference(problem);
    const double norm = l2_distance(std::vector<float>(y.size()), y);
    EXPECT_LT(float32_tolerance(problem) / norm, 3e-6);
  }
}

}  // namespace
}  // namespace fusedconv::test
