// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <fusedconv/error.hpp>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "activation.hpp"
#include "reference.hpp"
#include "ulps.hpp"

namespace fusedconv::detail {
namespace {

using test::all_activations;
using test::ulps_from;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

float activated(Activation activation, float a) {
  return with_activation(activation,
                         [a](auto known) { return activate<decltype(known)::value>(a); });
}

/// The units in the last place that activation.hpp promises at a.
double promised_ulps(Activation activation, double a) {
  switch (activation) {
    case Activation::sigmoid:
      return 2;
    case Activation::silu:
    case Activation::tanh:
      return 3;
    case Activation::gelu:
      return 8;
    case Activation::gelu_tanh:
      return 4 + 3 * std::abs(2 * std::sqrt(2 / std::numbers::pi) * (a + 0.044715 * a * a * a));
    default:
      return 0;
  }
}

/// Whether sigmoid(-u), and so what is computed by way of it, is subnormal or 0.
bool is_subnormal_factor(Activation activation, double a) {
  switch (activation) {
    case Activation::silu:
      return a < -87;
    case Activation::gelu:
      return a < -13;
    case Activation::gelu_tanh:
      return a < -9.7;
    default:
      return false;
  }
}

// Every 257th of all floats: subnormal numbers, both signs, both ends.
TEST(Activation, IsAsRightAsPromisedOverTheWholeRange) {
  for (const Activation activation : all_activations) {
    SCOPED_TRACE(to_string(activation));
    double worst = -std::numeric_limits<double>::infinity();
    float at = 0;
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 257) {
      const float a = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
      if (!std::isfinite(a)) continue;
      const double expected = test::activated(activation, a);
      const float found = activated(activation, a);
      if (is_subnormal_factor(activation, a)) {
        ASSERT_LE(std::abs(found - expected), 1e-35) << a;
        continue;
      }
      const double excess = ulps_from(found, expected) - promised_ulps(activation, a);
      if (excess > worst) {
        worst = excess;
        at = a;
      }
    }
    EXPECT_LE(worst, 0) << "units in the last place beyond what is promised, at " << at;
  }
}

// PyTorch's: silu and gelu of negative infinity are NaN there.
TEST(Activation, InfinitiesAndNanAreThoseOfPyTorch) {
  const auto same = [](float found, float expected) {
    return std::isnan(expected) ? std::isnan(found) : found == expected;
  };
  struct Limits {
    Activation activation;
    float at_minus_infinity;
    float at_infinity;
  };
  for (const auto& [activation, low, high] :
       {Limits{Activation::sigmoid, 0, 1}, Limits{Activation::relu, 0, infinity},
        Limits{Activation::silu, nan, infinity}, Limits{Activation::gelu, nan, infinity},
        Limits{Activation::gelu_tanh, nan, infinity}, Limits{Activation::tanh, -1, 1},
        Limits{Activation::identity, -infinity, infinity}}) {
    SCOPED_TRACE(to_string(activation));
    EXPECT_TRUE(same(activated(activation, -infinity), low));
    EXPECT_TRUE(same(activated(activation, infinity), high));
    EXPECT_TRUE(std::isnan(activated(activation, nan)));
    EXPECT_EQ(activated(activation, 0.0F), activation == Activation::sigmoid ? 0.5F : 0.0F);
    EXPECT_EQ(activated(activation, -0.0F), activation == Activation::sigmoid ? 0.5F : 0.0F);
  }
}

TEST(Activation, VectorsHaveTheBitsOfNumbers) {
  for (const Activation activation : all_activations) {
    SCOPED_TRACE(to_string(activation));
    for (float a = -110; a < 110; a += 0.37F) {
      FloatVector arguments;
      for (int lane = 0; lane < vector_length; ++lane) {
        arguments[lane] = a / static_cast<float>(lane % 3 == 0 ? 1 : 16);
      }
      const FloatVector values = with_activation(
          activation, [&](auto known) { return activate<decltype(known)::value>(arguments); });
      for (int lane = 0; lane < vector_length; ++lane) {
        EXPECT_EQ(values[lane], activated(activation, arguments[lane]));
      }
    }
  }
}

TEST(Activation, Names) {
  for (const Activation activation : all_activations) {
    EXPECT_EQ(activation_from_string(to_string(activation)), activation);
  }
  EXPECT_EQ(to_string(Activation::gelu_tanh), "gelu_tanh");
  for (const char* name : {"", "ReLU", "mish"}) {
    try {
      activation_from_string(name);
      ADD_FAILURE() << name << ": nothing thrown";
    } catch (const InvalidArgument& error) {
      EXPECT_EQ(error.object(), "activation");
      EXPECT_EQ(error.expected(), "one of sigmoid, relu, silu, gelu, gelu_tanh, tanh, identity");
      EXPECT_NE(error.found().find(name), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace fusedconv::detail
