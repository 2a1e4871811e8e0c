// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_SIGMOID_HPP
#define FUSEDCONV_SRC_SIGMOID_HPP

#include <bit>
#include <cstdint>

#include "float_vector.hpp"

namespace fusedconv::detail {

/// The arguments that a sigmoid is right for.
enum class SigmoidRange {
  usual,  ///< magnitudes up to usual_sigmoid_limit, and NaN; cheaper
  whole,  ///< every float
};

inline constexpr float usual_sigmoid_limit = 87.0f;

/// 1 / (1 + exp(-a)) of a float or of each element of a FloatVector, without branches, right to 2
/// units in the last place; 0 and 1 at the infinities, NaN for NaN.
///
/// With a = n ln 2 + r, |r| <= ln(2) / 2 (reduced after Cody and Waite) and q = 2^n it is
/// q / (q + exp(-r)): neither side overflows, and small results keep all their digits. exp(-r) is
/// 1 + r times a polynomial of degree 5 (minimax for the relative error, 3e-9). q + 1 is taken
/// apart into what a float holds and the rest, so that only the last addition rounds.
template <SigmoidRange range, class Float>
inline Float sigmoid(Float a) {
  using Int = typename BitsOf<Float>::type;
  if constexpr (range == SigmoidRange::whole) {
    const Float smallest = broadcast<Float>(-104.0f);  // its sigmoid rounds to 0
    const Float largest = broadcast<Float>(usual_sigmoid_limit);
    a = a < smallest ? smallest : a;
    a = a > largest ? largest : a;
  }
  constexpr float round_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr std::int32_t round_magic_bits = 0x4B400000;
  const Float biased = a * 1.44269504f + round_magic;
  const Float n = biased - round_magic;
  const Float r = (a - n * 0.693145752f) - n * 1.42860677e-6f;
  // Estrin's scheme: what limits the throughput is how many of these chains are under way at once.
  const Float square = r * r;
  const Float p0 = r * 0.49999994f - 1.0f;
  const Float p2 = r * 0.041668389f - 0.166665211f;
  const Float p4 = r * 0.00138145394f - 0.00836874545f;
  const Float p = p0 + square * (p2 + square * p4);
  const auto ratio = [&](const Float q) {
    const Float rounded = q + 1.0f;
    const Float rest = q - (rounded - 1.0f);
    return q / (rounded + (p * r + rest));
  };
  if constexpr (range == SigmoidRange::usual) {
    // Outside the range the exponent is anything: unsigned numbers may overflow.
    using Unsigned = typename BitsOf<Float>::unsigned_type;
    return ratio(std::bit_cast<Float>((std::bit_cast<Unsigned>(biased) << 23) + 0x3F800000U));
  } else {
    // Below 2^-126 the rest of the exponent follows as a second factor, which rounds once.
    const Int exponent = std::bit_cast<Int>(biased) - round_magic_bits;
    const Int least = broadcast<Int>(-126);
    const Int normal = exponent < least ? least : exponent;
    return ratio(std::bit_cast<Float>((normal + 127) << 23)) *
           std::bit_cast<Float>((exponent - normal + 127) << 23);
  }
}

}  // namespace fusedconv::detail

#endif
