// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_EPILOGUE_HPP
#define FUSEDCONV_SRC_EPILOGUE_HPP

#include <Kokkos_Core.hpp>

#include "sigmoid.hpp"

namespace fusedconv::detail {

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
    KOKKOS_IF_ON_HOST((return sigmoid<SigmoidRange::whole>(z * factor_);))
  }

 private:
  float factor_;
};

}  // namespace fusedconv::detail

#endif
