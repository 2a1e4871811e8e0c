// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "convolution/winograd.hpp"

namespace fusedconv::detail {
namespace {

TEST(Winograd, TwoRowsAreThoseOfTheDefinition) {
  const double g[3] = {0.75, -1.25, 2.5};
  const double d[4] = {1.5, -0.5, 3.0, 0.25};
  const double t[winograd_inputs] = {d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]};
  double m[winograd_inputs];
  for (int i = 0; i < winograd_inputs; ++i) m[i] = t[i] * winograd_weight(g, i);
  EXPECT_EQ(m[1] + m[2] + m[0], d[0] * g[0] + d[1] * g[1] + d[2] * g[2]);
  EXPECT_EQ(m[1] - m[2] + m[3], d[1] * g[0] + d[2] * g[1] + d[3] * g[2]);
}

}  // namespace
}  // namespace fusedconv::detail
