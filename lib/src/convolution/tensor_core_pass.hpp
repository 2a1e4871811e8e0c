// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_HPP

#include <cuda.h>

#include <cstdint>

#include "tensor_core_pass_output.hpp"
#include "tensor_core_warpgroup.hpp"

namespace fusedconv::detail {

/// A pass over images too large to be in flight at once: the first one adds up their statistics,
/// the second one computes the same activations again and writes y. Nobody waits for anybody, so
/// that activations stay in registers, and blocks go down strips of tiles whose bands of input they
/// convert once. README.md in this folder tells how it works.
template <class C>
class TensorCorePass : public TensorCorePassOutput<C> {
 public:
  using Base = TensorCorePassOutput<C>;

  __device__ TensorCorePass(const TensorCoreTask& task, const CUtensorMap& map) : Base(task, map) {}

  __device__ void run() {
    Base::prepare_to_fetch();
    if (thread == taking_thread) find_strip(0, blockIdx.x);
    synchronize();
    const bool all_in_float = *t.all_in_float != 0;
    fetch(strip(0), 0);
    for (int turn = 0; strip(turn).rows > 0; ++turn) {
      unsigned taken = 0;
      if (thread == taking_thread) taken = gridDim.x + atomicAdd(t.tiles_taken, 1u);
      begin(turn);
      this->await_band();
      unsigned high;
      int exponent, imprecise;
      {
        const auto values = this->read_band();
        high = this->largest_of(values);
        if (thread == taking_thread) find_strip(turn + 1, taken);
        exponent = this->exponent_of(high);
        imprecise = this->convert(values, slot, exponent);
      }
      fetch(strip(turn), 1);
      const int tiles = (strip(turn).rows + C::tile_height - 1) / C::tile_height;
      for (int tile = 0; tile < tiles; ++tile) {
        this->await_band();
        const auto values = this->read_band();
        const unsigned below = this->largest_of(values);
        const unsigned both = max(high, below);
        const int exponent_of_both = this->exponent_of(both);
        const int imprecise_below = this->convert(values, slot ^ 1, exponent_of_both);
        if (exponent != exponent_of_both && high != 0) {
          fetch(strip(turn), tile);
          this->await_band();
          imprecise = this->convert(this->read_band(), slot, exponent_of_both);
        }
        exponent = exponent_of_both;
        if (tile + 1 < tiles) {
          fetch(strip(turn), tile + 2);
        } else if (strip(turn + 1).rows > 0) {
          fetch(strip(turn + 1), 0);
        }
        if (all_in_float || !Base::is_in_range(both) ||
            imprecise + imprecise_below > Base::tolerated_threads) {
          kept += compute_in_float(t, input, turn, tile, normalization);
        } else {
          compute(turn, tile, power_of_two(max(exponent - C::top, 1)));
        }
        high = below;
        imprecise = imprecise_below;
        slot ^= 1;
      }
      slot ^= 1;
    }
    if constexpr (C::normalizes) {
      this->end_stores();
    } else {
      publish();
    }
  }

 private:
  using Base::activation;
  using Base::address_of;
  using Base::blocks;
  using Base::channel;
  using Base::columns_of;
  using Base::fetch;
  using Base::floats_before;
  using Base::input;
  using Base::lane;
  using Base::lane_column;
  using Base::load_fragment;
  using Base::normalization;
  using Base::normalized;
  using Base::output_of;
  using Base::power_of_two;
  using Base::rows;
  using Base::shared;
  using Base::strip;
  using Base::synchronize;
  using Base::t;
  using Base::thread;
  using Base::warp;
  using typename Base::Columns;
  using typename Base::Sums;

  static constexpr int taking_thread = C::threads - 32;
  static constexpr int pairs = (C::kernel + 1) * C::kernel / 2;
  static_assert(C::kernel == 3 && rows == tensor_core_unrolled_rows);

  using Moments = TensorCoreMoments;

  /// Outputs that a tile has in a channel.
  __device__ int outputs_of_channel(int turn, int tile) const {
    return min(strip(turn).rows - tile * C::tile_height, C::tile_height) * strip(turn).columns;
  }

  __device__ void find_strip(int turn, std::int64_t number) const {
    TensorCoreTile& s = strip(turn);
    s.rows = 0;
    if (number >= t.strips) return;
    const auto place =
        this->find_channels(s, static_cast<int>(number), t.by_strips_across, t.by_strips_down);
    s.row = place.down * t.strip_rows;
    s.column = place.across * t.strip_columns;
    s.rows = min(t.output_height - s.row, t.strip_rows);
    s.columns = min(t.output_width - s.column, C::tile_width);
  }

  __device__ bool has_channel(int turn) const { return channel() < strip(turn).channels; }
  /// Of all channels; the first of the strip instead of one that does not exist.
  __device__ int own_channel(int turn) const {
    return strip(turn).channel + (has_channel(turn) ? channel() : 0);
  }
  __device__ unsigned long long* statistics_of(int turn) const {
    if (!has_channel(turn)) return nullptr;
    const int group = t.by_channels_per_norm_group.quotient(own_channel(turn));
    return t.statistics + (static_cast<std::int64_t>(strip(turn).image) * t.norm_groups + group) *
                              tensor_core_statistics_words;
  }

  /// What stays the same in a strip.
  __device__ void begin(int turn) {
    const float4 constant = t.channel_constants[own_channel(turn)];
    factor = constant.x;
    offset = constant.y;
    if constexpr (C::normalizes) {
      const float4 n = this->await_statistics_of(strip(turn).image, own_channel(turn));
      normalization = make_float3(n.x, n.y, n.z);
    } else if (unsigned long long* const statistics = statistics_of(turn);
               statistics != published_to) {
      publish();
      published_to = statistics;
    }
  }

  /// A warp's matrices of weights. \param part 0: high halves, 1: low halves
  __device__ void load_weights(int turn, int part, uint4 (&weights)[pairs]) const {
    const uint4* const fragments =
        t.weights + ((strip(turn).m_tile * rows + warp) * pairs * 2 + part) * 32 + lane;
#pragma unroll
    for (int pair = 0; pair < pairs; ++pair) weights[pair] = load_fragment(fragments + pair * 64);
  }

  /// The products of a part of the columns, added to its sums or the first of them. A pair of taps
  /// is one below the other, in one band.
  /// \tparam Upper slot of the upper band: known, the places of operands are constants
  template <int Upper, int Part, int LowInput, bool Adds>
  __device__ void multiply(const uint4 (&weights)[pairs], Sums& sum) const {
#pragma unroll
    for (int pair = 0; pair < pairs; ++pair) {
      const int band = pair < C::kernel ? Upper : 1 - Upper;
      const unsigned place = pair % C::kernel + Part * C::part_columns + LowInput * C::low_halves +
                             (static_cast<unsigned>(C::band_pitch) << 16);
      Wgmma::multiply(sum, weights[pair], address_of(shared().bands[band]) / 16 + place,
                      Adds || pair > 0);
    }
  }

  /// The sums of a part. Small products come first: what is cut off of a sum grows with it. Where
  /// registers do not hold all weights, the high halves are loaded while the low ones are
  /// multiplied.
  template <int Upper, int Part>
  __device__ void multiply(int turn, Sums& sum) const {
    uint4 weights[pairs], high[pairs];
    load_weights(turn, C::split ? 1 : 0, weights);
    if constexpr (C::split && C::holds_all_weights) load_weights(turn, 0, high);
    Wgmma::begin();
    multiply<Upper, Part, 0, false>(weights, sum);
    if constexpr (C::split) {
      if constexpr (!C::holds_all_weights) {
        Wgmma::commit();
        load_weights(turn, 0, high);
        Wgmma::await();
        Wgmma::keep_in_registers(sum);
        Wgmma::begin();
      }
      multiply<Upper, Part, 1, true>(high, sum);
      multiply<Upper, Part, 0, true>(high, sum);
    }
    Wgmma::commit();
    Wgmma::await();
    Wgmma::keep_in_registers(sum);
  }

  /// A part's activations; in the first pass, what they have more than `pivot`, the first one
  /// of the channel.
  template <int Part>
  __device__ void compute_part(int turn, float unscale, float& pivot, Sums& sum) const {
    if (slot == 0) {
      multiply<0, Part>(turn, sum);
    } else {
      multiply<1, Part>(turn, sum);
    }
    const float scaled = factor * unscale;
    if constexpr (!C::normalizes && Part == 0) {
      float first = fmaf(sum[0][0], scaled, offset);
      float second = fmaf(sum[0][1], scaled, offset);
      Base::activate_pair(first, second);
      pivot = __shfl_sync(0xffffffffu, first, lane & ~3);
    }
#pragma unroll
    for (auto& block : sum) {
#pragma unroll
      for (int i = 0; i < 2 * rows; i += 2) {
        block[i] = fmaf(block[i], scaled, offset);
        block[i + 1] = fmaf(block[i + 1], scaled, offset);
        if constexpr (C::normalizes) {
          Base::activate_pair(block[i], block[i + 1]);
        } else {
          Base::activate_pair_beyond(pivot, block[i], block[i + 1]);
        }
      }
    }
  }

  __device__ void compute(int turn, int tile, float unscale) {
    Sums sum;
    Moments moments;
    compute_part<0>(turn, unscale, moments.pivot, sum);
    if constexpr (C::normalizes) {
      this->await_stores();
      this->put(turn, tile, 0, sum);
      if constexpr (C::parts == 2) {
        compute_part<1>(turn, unscale, moments.pivot, sum);
        this->put(turn, tile, 1, sum);
      }
      this->store(turn, tile);
    } else {
      static_assert(C::parts == 2);
      add(turn, tile, 0, sum, moments);
      compute_part<1>(turn, unscale, moments.pivot, sum);
      add(turn, tile, 1, sum, moments);
      kept += word_of(turn, tile, moments);
    }
  }

  /// Adds what a thread has of a part, as compute_part() leaves it, to its moments.
  __device__ void add(int turn, int tile, int part, const Sums& activations,
                      Moments& moments) const {
    const TensorCoreTile& s = strip(turn);
    const int columns = s.columns - part * C::part_columns;
    if (columns >= C::part_columns && s.rows >= (tile + 1) * C::tile_height) {
      add<true>(activations, moments, columns, columns);
    } else {
      add<false>(activations, moments, columns, s.rows > tile * C::tile_height + 1 ? columns : 0);
    }
  }

  /// \tparam Whole whether all are output, else columns of the upper and of the lower row that are
  template <bool Whole>
  __device__ void add(const Sums& activations, Moments& moments, int upper, int lower) const {
#pragma unroll
    for (int below = 0; below < rows; ++below) {
      const int columns = (below == 0 ? upper : lower) - lane_column();
#pragma unroll
      for (int n = 0; n < blocks; ++n) {
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          moments.add_beyond_pivot(activations[n][2 * below + k], Whole || n * 8 + k < columns, k);
        }
      }
    }
  }

  /// What a tile adds to the one of tensor_core_statistics_words that a thread keeps of its
  /// channel.
  __device__ unsigned long long word_of(int turn, int tile, Moments moments) const {
    moments.combine();
    if (isnan(moments.shifted[0])) {
      if (unsigned long long* const statistics = statistics_of(turn)) {
        atomicOr(statistics, tensor_core_not_a_number);
      }
    }
    const double n = outputs_of_channel(turn, tile);
    const double total = lane % 4 < 2 ? moments.sum(n) : moments.sum_of_squares(n);
    return this->fixed_point_word(total, lane % 2 == 0);
  }

  __device__ void publish() {
    if (published_to != nullptr) atomicAdd(published_to + lane % 4, kept);
    kept = 0;
  }

  /// A tile in float32 throughout, for input or weights whose range float16 does not hold. Out of
  /// line, so that the usual way keeps its sums in registers. Returns word_of() it.
  __device__ __noinline__ static unsigned long long compute_in_float(const TensorCoreTask& task,
                                                                     const CUtensorMap& input,
                                                                     int turn, int tile,
                                                                     float3 normalization) {
    TensorCorePass pass(task, input);
    pass.normalization = normalization;
    return pass.compute_in_float(turn, tile);
  }

  __device__ unsigned long long compute_in_float(int turn, int tile) const {
    TensorCoreTile place = strip(turn);
    place.row += tile * C::tile_height;
    place.rows = min(place.rows - tile * C::tile_height, C::tile_height);
    const float4 constant = t.channel_constants[own_channel(turn)];
    Moments moments;
#pragma unroll 1
    for (int pixel = lane % 4; pixel < C::tile_height * C::tile_width; pixel += 4) {
      const int row = pixel / C::tile_width;
      const int column = pixel % C::tile_width;
      const bool is_output = row < place.rows && column < place.columns;
      const float value = activation(
          fmaf(this->convolve_in_float(place, pixel, channel()), constant.z, constant.y));
      if constexpr (C::normalizes) {
        const int strip_row = tile * C::tile_height + row;
        const Columns columns = columns_of(turn, floats_before(turn, strip_row, channel()));
        if (is_output && has_channel(turn) && column >= columns.begin && column < columns.end) {
          output_of(turn, strip_row, channel())[column] = normalized(value);
        }
      } else {
        if (pixel < 4) moments.pivot = __shfl_sync(0xffffffffu, value, lane & ~3);
        moments.add(value, is_output, 0);
      }
    }
    return C::normalizes ? 0 : word_of(turn, tile, moments);
  }

  int slot = 0;  ///< of the upper band
  float factor, offset;
  unsigned long long kept = 0;
  unsigned long long* published_to = nullptr;
};

template <class C>
__global__ void __launch_bounds__(C::block_threads, C::blocks_per_multiprocessor)
    tensor_core_pass(const __grid_constant__ TensorCoreTask task,
                     const __grid_constant__ CUtensorMap input) {
  TensorCorePass<C>(task, input).run();
}

}  // namespace fusedconv::detail

#endif
