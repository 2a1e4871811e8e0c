// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CHANNEL_PARAMETERS_HPP
#define FUSEDCONV_SRC_CHANNEL_PARAMETERS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/parameters.hpp>

#include "allocate.hpp"

namespace fusedconv::detail {

/// The per-channel parameters as the kernels read them: defaults filled in, both biases added.
template <class ExecutionSpace>
struct ChannelParameters {
  using Vector = Kokkos::View<float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  Vector bias;  ///< conv.bias + bias
  Vector scale;
  Vector group_norm_weight;
  Vector group_norm_bias;
};

template <class ExecutionSpace>
struct PackChannelParameters {
  using Given = Parameters<typename ExecutionSpace::memory_space>;

  ChannelParameters<ExecutionSpace> packed;
  Given given;

  KOKKOS_FUNCTION static float value_or(const typename Given::Vector& vector, const int channel,
                                        const float absent) {
    return vector.data() != nullptr ? vector(channel) : absent;
  }

  KOKKOS_FUNCTION void operator()(const int channel) const {
    packed.bias(channel) =
        value_or(given.conv_bias, channel, 0.0f) + value_or(given.bias, channel, 0.0f);
    packed.scale(channel) = value_or(given.scale, channel, 1.0f);
    packed.group_norm_weight(channel) = value_or(given.group_norm_weight, channel, 1.0f);
    packed.group_norm_bias(channel) = value_or(given.group_norm_bias, channel, 0.0f);
  }
};

template <class ExecutionSpace>
ChannelParameters<ExecutionSpace> pack_channel_parameters(
    const ExecutionSpace& exec, const typename PackChannelParameters<ExecutionSpace>::Given& given,
    std::int64_t channels) {
  using Packed = ChannelParameters<ExecutionSpace>;
  using Vector = typename Packed::Vector;
  const Packed packed{allocate<Vector>(exec, "bias", channels),
                      allocate<Vector>(exec, "scale", channels),
                      allocate<Vector>(exec, "group_norm.weight", channels),
                      allocate<Vector>(exec, "group_norm.bias", channels)};
  Kokkos::parallel_for("fusedconv::pack_channel_parameters",
                       Kokkos::RangePolicy<ExecutionSpace>(exec, 0, channels),
                       PackChannelParameters<ExecutionSpace>{packed, given});
  return packed;
}

}  // namespace fusedconv::detail

#endif
