// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_PARAMETERS_HPP
#define FUSEDCONV_PARAMETERS_HPP

#include <Kokkos_Core.hpp>

namespace fusedconv {

/// The learnable tensors, named as in the `state_dict` of the PyTorch module.
///
/// A View that was not allocated stands for its default. The layer copies what it needs when it is
/// constructed; the Views may be changed or freed afterwards. Infinities and NaN mean what they
/// mean in PyTorch, but for an infinite `scale` on tensor cores, which may make a group NaN.
/// \tparam MemorySpace where the Views live; any space that Kokkos can copy to the layer's
template <class MemorySpace>
struct Parameters {
  /// A value for each output channel.
  using Vector = Kokkos::View<const float*, Kokkos::LayoutRight, MemorySpace>;
  /// The convolution's kernels.
  using Weight = Kokkos::View<const float****, Kokkos::LayoutRight, MemorySpace>;

  Weight conv_weight;        ///< `conv.weight` (out_channels, in_channels / groups, kH, kW)
  Vector conv_bias;          ///< `conv.bias` (out_channels), default 0
  Vector bias;               ///< `bias` (out_channels), default 0
  Vector scale;              ///< `scale` (out_channels), default 1
  Vector group_norm_weight;  ///< `group_norm.weight` (out_channels), default 1
  Vector group_norm_bias;    ///< `group_norm.bias` (out_channels), default 0
};

}  // namespace fusedconv

#endif
