// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_STATISTICS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_STATISTICS_HPP

#include <cstdint>

#include "tensor_core_product.hpp"

namespace fusedconv::detail {

/// Sums of a thread's activations and of their squares, relative to one of the channel's, so that
/// nothing cancels where they are alike.
struct TensorCoreMoments {
  float pivot = 0;
  float shifted[2] = {}, squares[2] = {};  // chains of additions side by side

  __device__ void add(float value, bool is_output, int chain) {
    add_beyond_pivot(value - pivot, is_output, chain);
  }

  /// \param difference of a value from the pivot
  __device__ void add_beyond_pivot(float difference, bool is_output, int chain) {
    const float d = is_output ? difference : 0.0f;
    shifted[chain] += d;
    squares[chain] = fmaf(d, d, squares[chain]);
  }

  /// Adds up those of the four threads that share a channel, into the first of each chain.
  __device__ void combine() {
    shifted[0] += shifted[1];
    squares[0] += squares[1];
#pragma unroll
    for (int other = 1; other < 4; other *= 2) {
      shifted[0] += __shfl_xor_sync(0xffffffffu, shifted[0], other);
      squares[0] += __shfl_xor_sync(0xffffffffu, squares[0], other);
    }
  }

  /// Of n values, once combined.
  __device__ double sum(double n) const { return n * pivot + shifted[0]; }
  __device__ double sum_of_squares(double n) const {
    const double p = pivot;
    return p * (n * p + 2.0 * shifted[0]) + squares[0];
  }
};

/// The sums that GroupNorm's statistics follow from, added up by all blocks.
template <class C>
class TensorCoreStatistics : public TensorCoreProduct<C> {
 protected:
  using Base = TensorCoreProduct<C>;
  using Tile = TensorCoreTile;
  using Base::Base;
  using Base::lane;
  using Base::shared;
  using Base::t;
  using Base::thread;
  using Base::tile_of;

  /// First normalisation group that a tile has channels of, and how many of them there are.
  __device__ int first_group(const Tile& tile) const {
    return t.by_channels_per_norm_group.quotient(tile.channel);
  }
  __device__ int groups(const Tile& tile) const {
    return t.by_channels_per_norm_group.quotient(tile.channel + tile.channels - 1) -
           first_group(tile) + 1;
  }
  __device__ unsigned long long* statistics_of(const Tile& tile) const {
    return t.statistics +
           (static_cast<std::int64_t>(tile.image) * t.norm_groups + first_group(tile)) *
               tensor_core_statistics_words;
  }

  /// Adds the tile's sums to those of its (image, group)s: integers, whose sum no order changes.
  /// Every word counts the arrivals, so that whoever sees all of them sees their sum. Neighbouring
  /// threads add to neighbouring words, which the memory takes as one request.
  ///
  /// Where nobody waits for them, sums are kept while tiles of the same (image, group)s follow:
  /// those of a large image would queue up at few words.
  __device__ void publish(int turn, bool is_last) const {
    const Tile& tile = tile_of(turn);
    const int words = groups(tile) * tensor_core_statistics_words;
    const bool keeps = t.arrival == 0 && words <= kept_words;
    if (keeps && turn > 0) {
      const Tile& before = tile_of(turn - 1);
      if (before.image != tile.image || before.channel != tile.channel) add_kept(before);
    }
    for (int i = statistics_thread(); i < words; i += statistics_threads) {
      const int group = first_group(tile) + i / tensor_core_statistics_words;
      const bool is_squares = (i & 2) != 0;
      const int begin = max(group * t.channels_per_norm_group - tile.channel, 0);
      const int end = min((group + 1) * t.channels_per_norm_group - tile.channel, tile.channels);
      double total = 0;
#pragma unroll 1
      for (int channel = begin; channel < end; ++channel) {
#pragma unroll
        for (int n = 0; n < C::warps_n; ++n) {
          const double2 entry = shared().sums[turn % 2][n][channel];
          total += is_squares ? entry.y : entry.x;
        }
      }
      unsigned long long* const word = statistics_of(tile) + i;
      // In program order to the same word: seen with the arrival.
      if (isnan(total)) atomicOr(word, tensor_core_not_a_number);
      const unsigned long long value = fixed_point_word(total, i % 2 == 0);
      if (keeps) {
        shared().kept[i] += value;
      } else {
        atomicAdd(word, value + t.arrival);
      }
    }
    if (keeps && is_last) add_kept(tile);
  }

  /// A sum as integers: whole units, or what they leave. NaN is none, and so is what rounding has
  /// made less than none: the sum of squares that underflow.
  __device__ static unsigned long long fixed_point_word(double total, bool is_high) {
    const double scaled = fmax(total, 0.0) * tensor_core_fixed_point;
    const double rest = (scaled - floor(scaled)) * tensor_core_fixed_point_low;
    return static_cast<unsigned long long>(is_high ? scaled : rest);
  }

  static constexpr int kept_words = 2 * C::channels;

  static constexpr int statistics_threads = C::statistics_warp ? 32 : C::threads;
  __device__ int statistics_thread() const { return C::statistics_warp ? lane : thread; }

  __device__ void add_kept(const Tile& tile) const {
    for (int i = statistics_thread(); i < groups(tile) * tensor_core_statistics_words;
         i += statistics_threads) {
      atomicAdd(statistics_of(tile) + i, shared().kept[i]);
      shared().kept[i] = 0;
    }
  }

  __device__ static void look(const unsigned long long* word, unsigned long long& first,
                              unsigned long long& second) {
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(first), "=l"(second)
                 : "l"(word)
                 : "memory");
  }

  /// Waits until the sums of the tile's (image, group)s are complete, and puts what normalising
  /// takes into shared memory.
  __device__ void await_statistics(int turn) const {
    for (int i = statistics_thread(); i < tile_of(turn).channels; i += statistics_threads) {
      await_statistics(turn, i);
    }
  }

  /// The same for one of the tile's channels.
  __device__ void await_statistics(int turn, int i) const {
    const Tile& tile = tile_of(turn);
    shared().normalization[turn % 2][i] = await_statistics_of(tile.image, tile.channel + i);
  }

  /// Waits until the sums of an image's channel are complete, and returns what normalising it
  /// takes: mean, factor, offset.
  __device__ float4 await_statistics_of(int image, int channel) const {
    const float weight = t.group_norm_weight[channel];
    const float bias = t.group_norm_bias[channel];
    const int group = t.by_channels_per_norm_group.quotient(channel);
    const unsigned long long mask = t.arrival != 0 ? tensor_core_arrival_mask : 0;
    const unsigned long long arrivals = arrivals_of(group) * t.arrival;
    const unsigned long long* const words =
        t.statistics +
        (static_cast<std::int64_t>(image) * t.norm_groups + group) * tensor_core_statistics_words;
    unsigned long long word[4];
    const auto is_complete = [&](unsigned long long w) { return (w & mask) == arrivals; };
    for (;;) {
      // One of the words, and not too often: the additions that it waits for go to the same place.
      look(words, word[0], word[1]);
      if (is_complete(word[0])) {
        look(words + 2, word[2], word[3]);
        if (is_complete(word[1]) && is_complete(word[2]) && is_complete(word[3])) break;
      }
      __nanosleep(200);
    }
    const auto mean_of = [&](unsigned long long high, unsigned long long low) {
      return (static_cast<double>(high) +
              static_cast<double>(low) * (1 / tensor_core_fixed_point_low)) *
             t.inverse_elements;
    };
    const bool is_number = (word[0] & tensor_core_not_a_number) == 0;
    const double mean = mean_of(word[0] & ~(mask | tensor_core_not_a_number), word[1] & ~mask);
    const double variance = fmax(mean_of(word[2] & ~mask, word[3] & ~mask) - mean * mean, 0.0);
    const double factor = rsqrt(variance + t.eps) * weight;
    const float rounded_mean = static_cast<float>(mean);
    // What rounding the mean has left out goes into the bias, unless it is but the rounding of
    // this double or of the one value that all have: planes of it give exactly the bias.
    double rest = rounded_mean - mean;
    if (fabs(rest) < mean * 0x1p-45 || variance < mean * mean * 0x1p-49) rest = 0;
    return make_float4(is_number ? rounded_mean : nanf(""), static_cast<float>(factor),
                       static_cast<float>(bias + rest * factor), 0);
  }

  /// Tiles that contribute to a normalisation group.
  __device__ unsigned long long arrivals_of(int group) const {
    const unsigned long long tiles = static_cast<unsigned long long>(t.tiles_down) * t.tiles_across;
    if (t.channel_tiles == 1) return tiles;
    const auto channel_tile = [&](int channel) {
      return channel / t.group_out_channels * t.channel_tiles_per_group +
             channel % t.group_out_channels / C::channels;
    };
    const int first = channel_tile(group * t.channels_per_norm_group);
    const int last = channel_tile((group + 1) * t.channels_per_norm_group - 1);
    return (last - first + 1) * tiles;
  }
};

}  // namespace fusedconv::detail

#endif
