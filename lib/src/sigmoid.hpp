// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_SIGMOID_HPP
#define FUSEDCONV_SRC_SIGMOID_HPP

#include <bit>
#include <cstdint>

#include "float_vector.hpp"

namespace fusedconv::detail {

/// The arguments that a sigmoid is right for.
enum class SigmoidRange {
  usual,  ///< magnitudes up to usual_sigmoid_limit; cheaper
  whole,  ///< every float
};

inline constexpr float usual_sigmoid_limit = 43.0f;

/// Sigmoids of floats or of each element of FloatVectors, without branches.
///
/// With a = n ln 2 + r, |r| <= ln(2) / 2 (reduced after Cody and Waite) and q = c 2^n they are
/// q / (q + c exp(-r)): neither side overflows, and small results keep all their digits. exp(-r) is
/// 1 + r times a polynomial of degree 5 (minimax for the relative error, 3e-9). q + c is exact or
/// as good as the larger of the two, so that the denominator is one multiply-add that rounds once.
/// The factor c keeps denominators of small results below 1, where floats are denser, and q at n =
/// -24 within what q + c holds.
template <class Float>
struct SigmoidOf {
  using Int = typename BitsOf<Float>::type;
  using Unsigned = typename BitsOf<Float>::unsigned_type;

  /// n + 64 in the low bits: adding 1.5 * 2^23 rounds to an integer.
  static Float biased_exponent(Float a) { return a * 1.44269504f + round_magic; }

  template <SigmoidRange range>
  static Float value(Float a) {
    if constexpr (range == SigmoidRange::whole) {
      const Float smallest = broadcast<Float>(-104.0f);  // its sigmoid rounds to 0
      const Float largest = broadcast<Float>(87.0f);
      a = a < smallest ? smallest : a;
      a = a > largest ? largest : a;
    }
    const Float biased = biased_exponent(a);
    const Float n = biased - round_magic;
    const Float r = (a - n * 0.693145752f) - n * 1.42860677e-6f;
    Float p = r * (0.00138145394f * c) - 0.00836874545f * c;
    p = p * r + 0.041668389f * c;
    p = p * r - 0.166665211f * c;
    p = p * r + 0.49999994f * c;
    p = p * r - c;
    const auto ratio = [&](const Float q) { return q / ((q + c) + p * r); };
    constexpr auto c_bits = std::bit_cast<std::int32_t>(c);
    if constexpr (range == SigmoidRange::usual) {
      constexpr auto less_bias = static_cast<std::uint32_t>(c_bits - (exponent_bias << 23));
      // Outside the range the exponent is anything: unsigned numbers may overflow.
      return ratio(std::bit_cast<Float>((std::bit_cast<Unsigned>(biased) << 23) + less_bias));
    } else {
      // Below 2^-125 the rest of the exponent follows as a second factor, which rounds once.
      const Int exponent = std::bit_cast<Int>(biased) - round_magic_bits;
      const Int least = broadcast<Int>(-125);
      const Int normal = exponent < least ? least : exponent;
      return ratio(std::bit_cast<Float>((normal << 23) + c_bits)) *
             std::bit_cast<Float>((exponent - normal + 127) << 23);
    }
  }

  static constexpr std::int32_t exponent_bias = 64;
  static constexpr float round_magic = 12582912.0f + exponent_bias;
  static constexpr std::int32_t round_magic_bits = 0x4B400000 + exponent_bias;
  static constexpr float c = 0.84375f;
};

/// 1 / (1 + exp(-a)), right to 2 units in the last place; 0 and 1 at the infinities, NaN for NaN.
template <SigmoidRange range, class Float>
inline Float sigmoid(Float a) {
  return SigmoidOf<Float>::template value<range>(a);
}

/// Whether arguments are in the usual range, for many of them together: combined by the bitwise or
/// of what `bits` gives.
template <class Float>
struct UsualSigmoidRange {
  using Unsigned = typename BitsOf<Float>::unsigned_type;

  /// n + 64 of an argument, which the usual ones have in the low bits alone.
  static Unsigned bits(Float a) {
    return std::bit_cast<Unsigned>(SigmoidOf<Float>::biased_exponent(a)) ^ magic_bits;
  }
  static auto is_left(Unsigned combined) { return combined > 2U * exponent_bias - 1U; }

 private:
  static constexpr std::uint32_t exponent_bias = SigmoidOf<Float>::exponent_bias;
  static constexpr std::uint32_t magic_bits = SigmoidOf<Float>::round_magic_bits - exponent_bias;
};

}  // namespace fusedconv::detail

#endif
