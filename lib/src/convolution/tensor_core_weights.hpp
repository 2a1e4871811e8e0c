// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_WEIGHTS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_WEIGHTS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/options.hpp>

#include "../allocate.hpp"
#include "first_pass.hpp"
#include "tensor_core_plan.hpp"
#include "tensor_core_task.hpp"

namespace fusedconv::detail {

/// What a layer hands to the tensor cores' kernel, computed once.
template <class ExecutionSpace>
struct TensorCoreWeights {
  using MemorySpace = typename ExecutionSpace::memory_space;
  template <class Value>
  using Vector = Kokkos::View<Value*, Kokkos::LayoutRight, MemorySpace>;

  Vector<std::uint32_t> fragments;  ///< (16 output channels, pair, high or low halves, lane, 4)
  Vector<float> weight;             ///< conv.weight
  Vector<float> constants;          ///< (output channel, 4), see TensorCoreTask
  Vector<float> row_scales;         ///< power of two that an output channel's weights are times
  Vector<int> all_in_float;         ///< one element
};

/// 2^exponent of a normal float.
KOKKOS_INLINE_FUNCTION float power_of_two(int exponent) {
  return Kokkos::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
}

/// Scale and constants of each output channel.
template <class ExecutionSpace>
struct PackTensorCoreConstants {
  TensorCoreWeights<ExecutionSpace> packed;
  Epilogue<ExecutionSpace> epilogue;
  std::int64_t taps;  ///< weights of an output channel
  int digits;         ///< below 2^-digits of the largest, a weight loses some to float16

  KOKKOS_FUNCTION void operator()(const std::int64_t channel) const {
    constexpr float log2_of_e = 1.44269504f;
    constexpr int largest_exponent = 14;
    const float* const row = packed.weight.data() + channel * taps;
    float largest = 0;
    bool is_finite = true;
    for (std::int64_t i = 0; i < taps; ++i) {
      const float magnitude = Kokkos::abs(row[i]);
      is_finite = is_finite && magnitude <= 3.4028235e38f;
      largest = Kokkos::max(largest, magnitude);
    }
    int exponent = 0;
    if (largest > 0) {
      exponent = static_cast<int>(Kokkos::bit_cast<std::uint32_t>(largest) >> 23) - 127;
    }
    const float smallest = largest * power_of_two(-digits);
    std::int64_t small = 0;
    for (std::int64_t i = 0; i < taps; ++i) {
      small += row[i] != 0 && Kokkos::abs(row[i]) < smallest ? 1 : 0;
    }
    const int range = static_cast<int>(tensor_core_range);
    constexpr float large_scale = 1.0995116e12f;  // 2^40: times all other scales still a float
    const float scale = epilogue.scale(channel);
    if (!is_finite || exponent < -range || exponent > range || small > 4 + taps / 64 ||
        !(Kokkos::abs(scale) <= large_scale)) {
      Kokkos::atomic_store(packed.all_in_float.data(), 1);
      exponent = 0;
    }
    const float factor = -scale * log2_of_e;
    packed.row_scales(channel) = power_of_two(largest_exponent - exponent);
    packed.constants(4 * channel) = factor * power_of_two(exponent - largest_exponent);
    packed.constants(4 * channel + 1) = epilogue.bias(channel) * factor;
    packed.constants(4 * channel + 2) = factor;
    packed.constants(4 * channel + 3) = 0;
  }
};

/// Fragments of the matrices that mma.sync takes as its first operand, a lane's registers together.
template <class ExecutionSpace>
struct PackTensorCoreFragments {
  TensorCoreWeights<ExecutionSpace> packed;
  Geometry geometry;
  std::int64_t chunk_channels, pairs_of_chunk, pairs_of_group, m_tiles_per_group;
  int output_rows;  ///< of 16 matrix rows: 2 where these are 8 channels for a row and the one below

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const std::int64_t index = i;
    const int word = static_cast<int>(i % 4);
    i /= 4;
    const int lane = static_cast<int>(i % 32);
    i /= 32;
    const bool is_low = i % 2 != 0;
    i /= 2;
    const std::int64_t pair = i % pairs_of_group;
    const std::int64_t m_tile = i / pairs_of_group;
    const bool has_two_rows = output_rows == 2;
    const std::int64_t row = m_tile % m_tiles_per_group * (16 / output_rows) +
                             (has_two_rows ? 0 : word % 2 * 8) + lane / 4;
    const std::int64_t taps = geometry.kernel_height * geometry.kernel_width;
    const std::int64_t entries = taps + (output_rows - 1) * geometry.kernel_width;
    const std::int64_t entry = pair % pairs_of_chunk * 2 + word / 2;
    const std::int64_t tap =
        has_two_rows ? tap_of_two_rows(entry) - word % 2 * geometry.kernel_width : entry % entries;
    const std::int64_t in_channel = pair / pairs_of_chunk * chunk_channels + entry / entries * 8 +
                                    static_cast<std::int64_t>(lane % 4) * 2;
    const bool exists = entry < chunk_channels / 8 * entries && tap >= 0 && tap < taps &&
                        row < geometry.group_out_channels;
    const std::int64_t channel = m_tile / m_tiles_per_group * geometry.group_out_channels + row;
    std::uint32_t halves = 0;
    for (int k = 0; k < 2; ++k) {
      if (!exists || in_channel + k >= geometry.group_in_channels) continue;
      const float value =
          packed.weight((channel * geometry.group_in_channels + in_channel + k) * taps + tap) *
          packed.row_scales(channel);
      const auto high = Kokkos::Experimental::half_t(value);
      const auto half =
          is_low ? Kokkos::Experimental::half_t(value - static_cast<float>(high)) : high;
      halves |= static_cast<std::uint32_t>(Kokkos::bit_cast<std::uint16_t>(half)) << (16 * k);
    }
    packed.fragments(index) = halves;
  }

 private:
  /// Pairs are then two taps one below the other.
  KOKKOS_FUNCTION std::int64_t tap_of_two_rows(std::int64_t entry) const {
    const std::int64_t pair = entry / 2;
    const std::int64_t row = pair / geometry.kernel_width * 2 + entry % 2;
    return row * geometry.kernel_width + pair % geometry.kernel_width;
  }
};

inline std::int64_t tensor_core_fragment_words(const TensorCorePlan& plan) {
  return plan.geometry.groups * plan.channel_tiles_per_group() * plan.m_tiles() * plan.chunks() *
         plan.pairs() * 2 * 32 * 4;
}

template <class ExecutionSpace>
TensorCoreWeights<ExecutionSpace> pack_tensor_core_weights(
    const ExecutionSpace& exec, const TensorCorePlan& plan,
    const Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>&
        weight,
    const Epilogue<ExecutionSpace>& epilogue) {
  using Weights = TensorCoreWeights<ExecutionSpace>;
  using Range = Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>;
  const Geometry& g = plan.geometry;
  const std::int64_t words = tensor_core_fragment_words(plan);
  const std::int64_t taps = g.group_in_channels * plan.taps();
  Weights packed{
      allocate<typename Weights::template Vector<std::uint32_t>>(exec, "packed conv.weight", words),
      allocate<typename Weights::template Vector<float>>(exec, "conv.weight",
                                                         g.out_channels * taps),
      allocate<typename Weights::template Vector<float>>(exec, "channel constants",
                                                         4 * g.out_channels),
      allocate<typename Weights::template Vector<float>>(exec, "weight scales", g.out_channels),
      allocate<typename Weights::template Vector<int>>(exec, "all in float", 1)};
  Kokkos::deep_copy(
      exec, packed.weight,
      Kokkos::View<const float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space,
                   Kokkos::MemoryTraits<Kokkos::Unmanaged>>(weight.data(), weight.size()));
  Kokkos::deep_copy(exec, packed.all_in_float, 0);
  const int digits = plan.precision == Precision::fp32 ? 17 : 28;
  Kokkos::parallel_for("fusedconv::pack_channel_constants", Range(exec, 0, g.out_channels),
                       PackTensorCoreConstants<ExecutionSpace>{packed, epilogue, taps, digits});
  Kokkos::parallel_for(
      "fusedconv::pack_weights", Range(exec, 0, words),
      PackTensorCoreFragments<ExecutionSpace>{
          packed, g, plan.chunk_channels, plan.pairs(), plan.chunks() * plan.pairs(),
          plan.channel_tiles_per_group() * plan.m_tiles(), static_cast<int>(plan.output_rows())});
  return packed;
}

}  // namespace fusedconv::detail

#endif
