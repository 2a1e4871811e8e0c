// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "sigmoid.hpp"
#include "ulps.hpp"

namespace fusedconv::detail {
namespace {

using test::ulps_from;

constexpr float infinity = std::numeric_limits<float>::infinity();

double sigmoid_of(double a) { return 1 / (1 + std::exp(-a)); }

// Every 257th of all floats: subnormal numbers, both signs, both ends.
TEST(Sigmoid, IsRightToTwoUlpsOverTheWholeRange) {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 257) {
    const float a = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isnan(a)) continue;
    const double expected = sigmoid_of(a);
    worst = std::max(worst, ulps_from(sigmoid<SigmoidRange::whole>(a), expected));
    if (std::abs(a) <= usual_sigmoid_limit) {
      worst = std::max(worst, ulps_from(sigmoid<SigmoidRange::usual>(a), expected));
    }
  }
  RecordProperty("worst_ulps", std::to_string(worst));
  EXPECT_LE(worst, 2);
}

// Every 97th of all floats, and all of those where the exponent's low bits look like a usual one's.
TEST(Sigmoid, KnowsWhichArgumentsAreUsual) {
  using UsualRange = UsualSigmoidRange<float>;
  const auto expect_known = [](std::uint32_t bits) {
    const float a = std::bit_cast<float>(bits);
    const bool is_usual = std::abs(a) <= usual_sigmoid_limit;
    const bool is_left = UsualRange::is_left(UsualRange::bits(a));
    // Between the limit and the last exponent either answer is right.
    if (is_usual || !(std::abs(a) < 46)) {
      ASSERT_EQ(is_left, !is_usual) << a;
    }
  };
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 97) {
    expect_known(static_cast<std::uint32_t>(bits));
  }
  for (const float hidden : {-2.90735e6F, -5.81465e6F, -8.72199e6F}) {
    const auto middle = std::bit_cast<std::uint32_t>(hidden);
    for (std::uint32_t bits = middle - 2000; bits < middle + 2000; ++bits) expect_known(bits);
  }
}

TEST(Sigmoid, HasItsLimitsAndKeepsNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(sigmoid<SigmoidRange::whole>(infinity), 1);
  EXPECT_EQ(sigmoid<SigmoidRange::whole>(-infinity), 0);
  EXPECT_EQ(sigmoid<SigmoidRange::whole>(0.0F), 0.5F);
  EXPECT_TRUE(std::isnan(sigmoid<SigmoidRange::whole>(nan)));
}

TEST(Sigmoid, VectorsHaveTheBitsOfNumbers) {
  for (float a = -110; a < 110; a += 0.37F) {
    FloatVector arguments;
    for (int lane = 0; lane < vector_length; ++lane)
      arguments[lane] = a * (lane % 3 == 0 ? 1.0F : 2.0F);
    const FloatVector whole = sigmoid<SigmoidRange::whole>(arguments);
    for (int lane = 0; lane < vector_length; ++lane) {
      EXPECT_EQ(whole[lane], sigmoid<SigmoidRange::whole>(float{arguments[lane]}));
    }
  }
}

}  // namespace
}  // namespace fusedconv::detail
