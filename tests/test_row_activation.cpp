// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "row_activation.hpp"
#include "ulps.hpp"

namespace fusedconv::detail {
namespace {

using test::ulps_from;

constexpr float infinity = std::numeric_limits<float>::infinity();

double sigmoid_of(double a) { return 1 / (1 + std::exp(-a)); }

/// Rows of arguments of one channel, activated; z is readable up to whole vectors.
struct Activated {
  std::vector<float> s;
  Moments moments;
};

Activated activate(const std::vector<std::vector<float>>& rows, float scale, float bias = 0) {
  Activated result;
  RowActivation activation(bias, scale);
  for (std::vector<float> z : rows) {
    const std::size_t columns = z.size();
    z.resize(columns + vector_length, std::numeric_limits<float>::quiet_NaN());
    std::vector<float> s(columns);
    activation(z.data(), static_cast<std::int64_t>(columns), s.data());
    result.s.insert(result.s.end(), s.begin(), s.end());
  }
  result.moments = activation.moments();
  return result;
}

/// The moments of the float32 activations themselves, in double precision.
Moments moments_of(const std::vector<float>& s) {
  Moments moments{static_cast<double>(s.size()), 0, 0};
  for (const float value : s) moments.mean += value / moments.count;
  for (const float value : s) moments.m2 += (value - moments.mean) * (value - moments.mean);
  return moments;
}

void expect_moments(const Activated& activated, double relative_error) {
  const Moments expected = moments_of(activated.s);
  EXPECT_EQ(activated.moments.count, expected.count);
  EXPECT_NEAR(activated.moments.mean, expected.mean,
              relative_error * std::sqrt(expected.m2 / expected.count));
  EXPECT_NEAR(activated.moments.m2, expected.m2, relative_error * expected.m2);
}

// A sum of 64 floats a lane and the rounding of each deviation: 64 units roundoff are never reached
// by errors that are independent.
constexpr double usual_error = 64 * 0x1p-24;

TEST(RowActivation, AgreesWithDoublePrecision) {
  for (const std::int64_t columns : {1, 3, 8, 9, 63, 64, 65, 254, 480}) {
    for (const float mean : {0.0F, 6.0F, -6.0F}) {
      std::vector<std::vector<float>> rows(8, std::vector<float>(columns));
      std::uint32_t state = 1;
      for (std::vector<float>& row : rows) {
        for (float& value : row) {
          state = state * 1664525 + 1013904223;
          value = mean + 2 * (static_cast<float>(state >> 8) * 0x1p-24F - 0.5F);
        }
      }
      const Activated activated = activate(rows, 1.5F);
      std::size_t i = 0;
      for (const std::vector<float>& row : rows) {
        for (const float z : row) EXPECT_LE(ulps_from(activated.s[i++], sigmoid_of(z * 1.5F)), 2);
      }
      expect_moments(activated, usual_error);
    }
  }
}

TEST(RowActivation, AddsTheBiasBeforeItScales) {
  std::vector<float> z(50);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = static_cast<float>(i) * 0.125F - 3;
  const std::vector<float> s = activate({z}, -0.75F, 1.5F).s;
  for (std::size_t i = 0; i < z.size(); ++i) {
    EXPECT_LE(ulps_from(s[i], sigmoid_of((z[i] + 1.5) * -0.75)), 2);
  }
}

// What (z + bias) * scale is, if not z * scale + bias * scale.
TEST(RowActivation, ProductsOfBiasAndScaleMayOverflow) {
  for (const float bias : {3e38F, -3e38F}) {
    const std::vector<float> far = activate({{0, 1, -infinity, infinity}}, 10, bias).s;
    EXPECT_EQ(far[0], bias > 0 ? 1 : 0);
    EXPECT_EQ(far[1], far[0]);
    EXPECT_EQ(far[2], 0);
    EXPECT_EQ(far[3], 1);
    const std::vector<float> near = activate({{-bias / 2, -bias, bias}}, 10, bias).s;
    EXPECT_EQ(near[0], far[0]);
    EXPECT_EQ(near[1], 0.5F);
    EXPECT_EQ(near[2], far[0]);
  }
}

TEST(RowActivation, ScalesMayBeInfinite) {
  for (const float scale : {infinity, -infinity}) {
    for (const float bias : {0.0F, 0.25F}) {
      const std::vector<float> s = activate({{1, -1, -bias, infinity}}, scale, bias).s;
      EXPECT_EQ(s[0], scale > 0 ? 1 : 0);
      EXPECT_EQ(s[1], scale > 0 ? 0 : 1);
      EXPECT_TRUE(std::isnan(s[2]));
      EXPECT_EQ(s[3], s[0]);
    }
  }
}

TEST(RowActivation, ConstantRowsHaveNoVariance) {
  const Activated activated = activate({8, std::vector<float>(131, 0.7F)}, 1);
  EXPECT_EQ(activated.moments.mean, activated.s.front());
  EXPECT_EQ(activated.moments.m2, 0);
}

// Means of rows, or of the first columns, far from the others' must not cost digits.
TEST(RowActivation, FarFirstColumnsAndRowsCostNoDigits) {
  const std::vector<float> low(254, -2.0F);
  std::vector<float> rough = low;
  for (std::size_t i = 0; i < rough.size(); i += 2) rough[i] = -2.001F;
  std::vector<float> hot = rough;
  hot[0] = 5;
  std::vector<float> high(254, 2.0F);
  expect_moments(activate({hot, rough, rough, rough}, 1), usual_error);
  expect_moments(activate({high, rough, rough, rough}, 1), usual_error);
  expect_moments(activate({rough, high, rough, high}, 1), usual_error);
}

// One argument beyond the usual range leaves the others' bits as they are.
TEST(RowActivation, ArgumentsBeyondTheUsualRangeDoNotDisturbOthers) {
  std::vector<float> z(50);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = static_cast<float>(i) * 0.1F - 2;
  const std::vector<float> usual = activate({z}, 1).s;
  for (const float extreme : {-95.0F, 300.0F, -infinity, infinity}) {
    std::vector<float> with = z;
    with[17] = extreme;
    const std::vector<float> s = activate({with}, 1).s;
    for (std::size_t i = 0; i < z.size(); ++i) {
      EXPECT_EQ(s[i], i == 17 ? static_cast<float>(sigmoid_of(extreme)) : usual[i]);
    }
  }
}

}  // namespace
}  // namespace fusedconv::detail
