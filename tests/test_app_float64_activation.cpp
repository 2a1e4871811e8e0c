// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "float64_activation.hpp"
#include "reference.hpp"

namespace fusedconv::test {
namespace {

TEST(Float64Activation, IsTheOracles) {
  for (const Activation activation : all_activations) {
    for (double a = -20; a <= 20; a += 0.37) {
      const double expected = activated(activation, a);
      // What gelu_tanh adds to 1 is close to -1 where the result is small.
      EXPECT_NEAR(app::float64_activation(activation, a), expected, 1e-14 * (1 + std::abs(a)))
          << to_string(activation) << " of " << a;
    }
  }
}

}  // namespace
}  // namespace fusedconv::test
