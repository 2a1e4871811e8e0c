// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_HOST_WEIGHTS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_HOST_WEIGHTS_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../allocate.hpp"
#include "first_pass.hpp"
#include "host_patch.hpp"
#include "winograd.hpp"

namespace fusedconv::detail {

/// Weights as the host's convolution reads them: in blocks of channel_block output channels that
/// lie in one channel group, the last of a group filled up with zeros; (block, input of a step,
/// input channel, kernel column, channel in block).
template <class ExecutionSpace>
class HostWeights {
 public:
  using Given =
      Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;
  using Packed = Kokkos::View<float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  HostWeights() = default;

  HostWeights(const ExecutionSpace& exec, const Geometry& g, HostPatch::Rows rows,
              std::int64_t channel_block, const Given& weight)
      : packed_(allocate<Packed>(exec, label(rows, "transformed conv.weight", "packed conv.weight"),
                                 size(g, rows, channel_block))),
        block_pitch_(block_size(g, rows, channel_block)) {
    const Pack pack{weight, packed_, g, rows, channel_block, block_pitch_};
    Kokkos::parallel_for(label(rows, "fusedconv::transform_weights", "fusedconv::pack_weights"),
                         Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(
                             exec, 0, packed_.size()),
                         pack);
  }

  static std::int64_t size(const Geometry& g, HostPatch::Rows rows, std::int64_t channel_block) {
    return g.groups * blocks_per_group(g, channel_block) * block_size(g, rows, channel_block);
  }

  bool empty() const { return packed_.size() == 0; }

  /// Of what has been packed.
  bool all_finite() const {
    const float* const begin = packed_.data();
    return std::all_of(begin, begin + packed_.size(), [](float w) { return std::isfinite(w); });
  }

  const float* block(std::int64_t number) const { return packed_.data() + number * block_pitch_; }

  static std::int64_t blocks_per_group(const Geometry& g, std::int64_t channel_block) {
    return (g.group_out_channels + channel_block - 1) / channel_block;
  }

 private:
  /// For tools: Winograd's algorithm has its weights beside those of the direct sum.
  static const char* label(HostPatch::Rows rows, const char* winograd, const char* direct) {
    return rows == HostPatch::Rows::winograd ? winograd : direct;
  }
  static std::int64_t block_size(const Geometry& g, HostPatch::Rows rows,
                                 std::int64_t channel_block) {
    return step_inputs(g, rows) * g.group_in_channels * g.kernel_width * channel_block;
  }
  static std::int64_t step_inputs(const Geometry& g, HostPatch::Rows rows) {
    return rows == HostPatch::Rows::winograd ? winograd_inputs : g.kernel_height;
  }

  struct Pack {
    Given weight;
    Packed packed;
    Geometry g;
    HostPatch::Rows rows = HostPatch::Rows::plain;
    std::int64_t channel_block = 0;
    std::int64_t block_pitch = 0;

    void operator()(const std::int64_t index) const {
      const std::int64_t number = index / block_pitch;
      std::int64_t rest = index % block_pitch;
      const std::int64_t in_block = rest % channel_block;
      rest /= channel_block;
      const std::int64_t kw = rest % g.kernel_width;
      rest /= g.kernel_width;
      const std::int64_t ci = rest % g.group_in_channels;
      const std::int64_t i = rest / g.group_in_channels;
      const std::int64_t blocks = blocks_per_group(g, channel_block);
      const std::int64_t in_group = number % blocks * channel_block + in_block;
      if (in_group >= g.group_out_channels) {
        packed(index) = 0;
        return;
      }
      const std::int64_t channel = number / blocks * g.group_out_channels + in_group;
      if (rows == HostPatch::Rows::winograd) {
        packed(index) = winograd_weight(
            {weight(channel, ci, 0, kw), weight(channel, ci, 1, kw), weight(channel, ci, 2, kw)},
            i);
      } else {
        packed(index) = weight(channel, ci, i, kw);
      }
    }
  };

  Packed packed_;
  std::int64_t block_pitch_ = 0;
};

}  // namespace fusedconv::detail

#endif
