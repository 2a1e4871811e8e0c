// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_EPILOGUE_HPP
#define FUSEDCONV_SRC_EPILOGUE_HPP

#include <Kokkos_Core.hpp>
#include <fusedconv/activation.hpp>

#include "activation.hpp"

namespace fusedconv::detail {

/// activation(z * scale) of one channel, float32-accurate.
template <Activation activation>
class ScaledActivation {
 public:
  /// On a device the exponential of sigmoid is one of base 2, whose factor the scale takes along.
  KOKKOS_INLINE_FUNCTION explicit ScaledActivation(const float scale) : factor_(scale) {
    KOKKOS_IF_ON_DEVICE(
        (if constexpr (activation == Activation::sigmoid) { factor_ = scale * -log2_e; }))
  }

  KOKKOS_INLINE_FUNCTION float operator()(const float z) const {
    KOKKOS_IF_ON_DEVICE((return on_device(z * factor_);))
    KOKKOS_IF_ON_HOST((return activate<activation>(z * factor_);))
  }

 private:
  static constexpr float log2_e = 1.44269504f;

  KOKKOS_INLINE_FUNCTION static float on_device(const float a) {
    if constexpr (activation == Activation::sigmoid) {
      return 1.0f / (1.0f + Kokkos::exp2(a));
    } else if constexpr (activation == Activation::relu) {
      return a < 0.0f ? 0.0f : a;
    } else if constexpr (activation == Activation::silu) {
      return a / (1.0f + Kokkos::exp2(a * -log2_e));
    } else if constexpr (activation == Activation::gelu) {
      return 0.5f * a * Kokkos::erfc(a * -0.707106781f);
    } else if constexpr (activation == Activation::gelu_tanh) {
      // (1 + tanh(v)) / 2 is sigmoid(2 v).
      return a / (1.0f + Kokkos::exp2(a * (-2.30220819f - 0.102943241f * (a * a))));
    } else if constexpr (activation == Activation::tanh) {
      return Kokkos::tanh(a);
    } else {
      return a;
    }
  }

  float factor_;
};

}  // namespace fusedconv::detail

#endif
