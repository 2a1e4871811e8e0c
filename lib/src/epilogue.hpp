// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_EPILOGUE_HPP
#define FUSEDCONV_SRC_EPILOGUE_HPP

#include <Kokkos_Core.hpp>
#include <bit>
#include <cstdint>

namespace fusedconv::detail {

/// exp(-a) for a >= 0, without branches so that compilers vectorise it; NaN stays NaN.
///
/// Cody and Waite's reduction a = -(n ln 2 + r), |r| <= ln(2)/2, and a polynomial in r. 2^n is
/// applied in two factors, since n goes down to -150 where the result is subnormal.
inline float exp_of_negative(float a) {
  a = a > 104.0f ? 104.0f : a;                // exp(-104) rounds to 0
  constexpr float round_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float biased = a * -1.44269504f + round_magic;
  const float n = biased - round_magic;
  const float r = (-a - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const std::int32_t exponent = std::bit_cast<std::int32_t>(biased) - 0x4B400000;
  const std::int32_t half = exponent >> 1;
  return p * std::bit_cast<float>((half + 127) << 23) *
         std::bit_cast<float>((exponent - half + 127) << 23);
}

/// sigmoid(z * scale) of one channel, float32-accurate: 1 / (1 + exp(-z * scale)).
class Activation {
 public:
  /// On a device the exponential is one of base 2, whose factor the scale takes along; on the host
  /// it is a polynomial that is accurate to the last places at both ends.
  KOKKOS_INLINE_FUNCTION explicit Activation(const float scale) {
    KOKKOS_IF_ON_DEVICE((factor_ = scale * -1.44269504f;))
    KOKKOS_IF_ON_HOST((factor_ = scale;))
  }

  KOKKOS_INLINE_FUNCTION float operator()(const float z) const {
    KOKKOS_IF_ON_DEVICE((return 1.0f / (1.0f + Kokkos::exp2(z * factor_));))
    KOKKOS_IF_ON_HOST((const float a = z * factor_;
                       const float e = exp_of_negative(a < 0.0f ? -a : a);
                       return (a < 0.0f ? e : 1.0f) / (1.0f + e);))
  }

 private:
  float factor_;
};

}  // namespace fusedconv::detail

#endif
