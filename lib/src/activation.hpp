// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_ACTIVATION_HPP
#define FUSEDCONV_SRC_ACTIVATION_HPP

#include <bit>
#include <cstdint>
#include <fusedconv/activation.hpp>
#include <type_traits>

#include "float_vector.hpp"
#include "sigmoid.hpp"

/// The activations on the host, of a float or of each element of a FloatVector, without branches.
namespace fusedconv::detail {

template <class Float>
inline Float magnitude_of(Float a) {
  using Unsigned = typename BitsOf<Float>::unsigned_type;
  return std::bit_cast<Float>(std::bit_cast<Unsigned>(a) & 0x7FFFFFFFU);
}

/// exp(a) as 2^exponent (1 + fraction), right to the last place also where it is close to 1.
template <class Float>
struct SplitExponential {
  typename BitsOf<Float>::type exponent;
  Float fraction;
};

/// exp(high + low), where the sum is from -200 to 88 and |low| at most 1.
///
/// After Cody and Waite high + low = n ln 2 + r, |r| <= ln(2) / 2, and exp(r) - 1 is r times a
/// polynomial of degree 5, that of sigmoid().
template <class Float>
inline SplitExponential<Float> split_exponential(Float high, Float low) {
  using Int = typename BitsOf<Float>::type;
  constexpr float round_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr std::int32_t round_magic_bits = 0x4B400000;
  const Float biased = (high + low) * 1.44269504f + round_magic;
  const Float n = biased - round_magic;
  const Float r = ((high - n * 0.693145752f) - n * 1.42860677e-6f) + low;
  const Float square = r * r;
  const Float p0 = r * 0.49999994f + 1.0f;
  const Float p2 = r * 0.041668389f + 0.166665211f;
  const Float p4 = r * 0.00138145394f + 0.00836874545f;
  return {std::bit_cast<Int>(biased) - round_magic_bits, r * (p0 + square * (p2 + square * p4))};
}

/// value 2^exponent, for exponents from -252 to 127; rounds once where the result is subnormal.
template <class Float>
inline Float times_power_of_2(Float value, typename BitsOf<Float>::type exponent) {
  using Int = typename BitsOf<Float>::type;
  const Int least = broadcast<Int>(-126);
  const Int normal = exponent < least ? least : exponent;
  return value * std::bit_cast<Float>((normal + 127) << 23) *
         std::bit_cast<Float>((exponent - normal + 127) << 23);
}

/// Right to 3 units in the last place.
///
/// With e = exp(-2 |a|) - 1 it is -e / (2 + e) and the sign of a: no digits are lost near 0.
template <class Float>
inline Float tanh(Float a) {
  using Unsigned = typename BitsOf<Float>::unsigned_type;
  const Float largest = broadcast<Float>(10.0f);  // its hyperbolic tangent rounds to 1
  const Float u = magnitude_of(a);
  const SplitExponential<Float> split =
      split_exponential(-2.0f * (u > largest ? largest : u), broadcast<Float>(0.0f));
  const Float power = std::bit_cast<Float>((split.exponent + 127) << 23);
  const Float e = power * split.fraction + (power - 1.0f);
  const Float ratio = -e / (2.0f + e);
  return std::bit_cast<Float>(std::bit_cast<Unsigned>(ratio) |
                              (std::bit_cast<Unsigned>(a) & 0x80000000U));
}

/// The standard normal distribution function, right to 7 units in the last place where it is not
/// subnormal.
///
/// Phi(-u) = exp(-u^2 / 2) R(u), where R falls slowly from 1/2: a quotient of polynomials with
/// positive coefficients (minimax for the relative error up to 16, 8e-9), of which no term is
/// cancelled. u^2 is taken in two parts, so that the exponential has all its digits.
template <class Float>
inline Float normal_distribution(Float a) {
  using Unsigned = typename BitsOf<Float>::unsigned_type;
  const Float largest = broadcast<Float>(16.0f);  // Phi(-16) rounds to 0
  Float u = magnitude_of(a);
  u = u > largest ? largest : u;
  const Float leading = std::bit_cast<Float>(std::bit_cast<Unsigned>(u) & 0xFFFFF000U);
  const Float high = -0.5f * (leading * leading);  // exact
  const Float low = -0.5f * ((u - leading) * (u + leading));
  const SplitExponential<Float> split = split_exponential(high, low);
  const Float numerator =
      (((0.00422207917f * u + 0.0413413794f) * u + 0.185328247f) * u + 0.441107406f) * u + 0.5f;
  const Float denominator =
      ((((0.0105830852f * u + 0.103633009f) * u + 0.474998115f) * u + 1.21117666f) * u +
       1.68009987f) *
          u +
      1.0f;
  const Float tail =
      times_power_of_2((1.0f + split.fraction) * numerator / denominator, split.exponent);
  return a > broadcast<Float>(0.0f) ? 1.0f - tail : tail;
}

/// f(a) for every float, infinities and NaN included. In units in the last place, where neither
/// they nor their factors are subnormal, sigmoid is right to 2, tanh and silu to 3, gelu to 8, and
/// gelu_tanh to 4 and three times the magnitude of its sigmoid's argument.
template <Activation activation, class Float>
inline Float activate(Float a) {
  if constexpr (activation == Activation::sigmoid) {
    return sigmoid<SigmoidRange::whole>(a);
  } else if constexpr (activation == Activation::relu) {
    return a < broadcast<Float>(0.0f) ? broadcast<Float>(0.0f) : a;
  } else if constexpr (activation == Activation::silu) {
    return a * sigmoid<SigmoidRange::whole>(a);
  } else if constexpr (activation == Activation::gelu) {
    return a * normal_distribution(a);
  } else if constexpr (activation == Activation::gelu_tanh) {
    // (1 + tanh(v)) / 2 is sigmoid(2 v).
    return a * sigmoid<SigmoidRange::whole>(a * (1.59576912f + 0.0713548163f * (a * a)));
  } else if constexpr (activation == Activation::tanh) {
    return tanh(a);
  } else {
    static_assert(activation == Activation::identity);
    return a;
  }
}

template <Activation activation>
using KnownActivation = std::integral_constant<Activation, activation>;

/// Calls body with the activation as a KnownActivation.
template <class Body>
decltype(auto) with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::sigmoid:
      return body(KnownActivation<Activation::sigmoid>());
    case Activation::relu:
      return body(KnownActivation<Activation::relu>());
    case Activation::silu:
      return body(KnownActivation<Activation::silu>());
    case Activation::gelu:
      return body(KnownActivation<Activation::gelu>());
    case Activation::gelu_tanh:
      return body(KnownActivation<Activation::gelu_tanh>());
    case Activation::tanh:
      return body(KnownActivation<Activation::tanh>());
    default:
      return body(KnownActivation<Activation::identity>());
  }
}

}  // namespace fusedconv::detail

#endif
