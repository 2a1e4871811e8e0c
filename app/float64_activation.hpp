// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_FLOAT64_ACTIVATION_HPP
#define FUSEDCONV_APP_FLOAT64_ACTIVATION_HPP

#include <Kokkos_Core.hpp>
#include <fusedconv/activation.hpp>

namespace fusedconv::app {

/// An activation by its definition.
KOKKOS_INLINE_FUNCTION double float64_activation(Activation activation, double a) {
  switch (activation) {
    case Activation::sigmoid:
      return 1 / (1 + Kokkos::exp(-a));
    case Activation::relu:
      return a < 0 ? 0 : a;
    case Activation::silu:
      return a / (1 + Kokkos::exp(-a));
    case Activation::gelu:
      return a * Kokkos::erfc(-a / Kokkos::sqrt(2.0)) / 2;
    case Activation::gelu_tanh:
      return a *
             (1 +
              Kokkos::tanh(Kokkos::sqrt(2 / Kokkos::numbers::pi) * (a + 0.044715 * a * a * a))) /
             2;
    case Activation::tanh:
      return Kokkos::tanh(a);
    default:
      return a;
  }
}

}  // namespace fusedconv::app

#endif
