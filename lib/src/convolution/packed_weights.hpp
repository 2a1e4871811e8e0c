// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_PACKED_WEIGHTS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_PACKED_WEIGHTS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "../allocate.hpp"
#include "first_pass.hpp"

namespace fusedconv::detail {

/// Weights in blocks of `block` output channels that lie in one channel group, the last of a group
/// filled up with zeros: (block, input channel, kernel row, kernel column, channel in block).
template <class ExecutionSpace>
using PackedWeightsView =
    Kokkos::View<float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

template <class ExecutionSpace>
struct PackWeights {
  Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space> weight;
  PackedWeightsView<ExecutionSpace> packed;
  std::int64_t block;
  std::int64_t blocks_per_group;
  std::int64_t group_out_channels;

  KOKKOS_FUNCTION void operator()(const std::int64_t i) const {
    const std::int64_t taps = weight.extent(1) * weight.extent(2) * weight.extent(3);
    const std::int64_t in_block = i % block;
    const std::int64_t tap = i / block % taps;
    const std::int64_t global_block = i / block / taps;
    const std::int64_t in_group = global_block % blocks_per_group * block + in_block;
    const std::int64_t channel = global_block / blocks_per_group * group_out_channels + in_group;
    packed(i) = in_group < group_out_channels ? weight.data()[channel * taps + tap] : 0.0f;
  }
};

/// Number of elements that pack_weights gives.
inline std::int64_t packed_weights_size(const Geometry& g, std::int64_t block) {
  const std::int64_t blocks = g.groups * ((g.group_out_channels + block - 1) / block);
  return blocks * block * g.group_in_channels * g.kernel_height * g.kernel_width;
}

template <class ExecutionSpace>
PackedWeightsView<ExecutionSpace> pack_weights(
    const ExecutionSpace& exec, const Geometry& g, std::int64_t block,
    const Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>&
        weight) {
  const std::int64_t blocks_per_group = (g.group_out_channels + block - 1) / block;
  const std::int64_t size = packed_weights_size(g, block);
  const auto packed = allocate<PackedWeightsView<ExecutionSpace>>(exec, "packed conv.weight", size);
  Kokkos::parallel_for(
      "fusedconv::pack_weights",
      Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(exec, 0, size),
      PackWeights<ExecutionSpace>{weight, packed, block, blocks_per_group, g.group_out_channels});
  return packed;
}

}  // namespace fusedconv::detail

#endif
