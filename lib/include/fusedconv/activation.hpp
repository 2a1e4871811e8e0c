// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_ACTIVATION_HPP
#define FUSEDCONV_ACTIVATION_HPP

#include <string_view>

namespace fusedconv {

/// The function between the scaled convolution and the normalisation, as PyTorch defines it. What
/// is infinite or NaN in PyTorch is so here: silu and gelu of negative infinity are NaN.
///
/// Activations whose squared deviations from the mean are beyond what float32 holds (1e19 apart)
/// may make their normalisation group NaN, as infinite ones do.
enum class Activation {
  sigmoid,    ///< 1 / (1 + exp(-a)), `torch.sigmoid`
  relu,       ///< max(a, 0), `torch.relu`
  silu,       ///< a sigmoid(a), `torch.nn.functional.silu`
  gelu,       ///< a (1 + erf(a / sqrt(2))) / 2, `torch.nn.functional.gelu`
  gelu_tanh,  ///< a (1 + tanh(sqrt(2 / pi) (a + 0.044715 a^3))) / 2, `gelu(approximate="tanh")`
  tanh,       ///< `torch.tanh`
  identity,   ///< a
};

/// "sigmoid", "relu", "silu", "gelu", "gelu_tanh", "tanh", "identity".
std::string_view to_string(Activation activation);

/// The inverse of to_string. \throws InvalidArgument with the names there are
Activation activation_from_string(std::string_view name);

}  // namespace fusedconv

#endif
