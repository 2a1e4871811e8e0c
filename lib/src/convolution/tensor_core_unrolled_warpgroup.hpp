// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_UNROLLED_WARPGROUP_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_UNROLLED_WARPGROUP_HPP

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "tensor_core_statistics.hpp"
#include "tensor_core_warpgroup.hpp"

namespace fusedconv::detail {

/// The whole block of the layer for 3 x 3 kernels over at most 8 input channels, by wgmma. A warp
/// has 8 output channels to itself, from their sums to y, and meets the others only for the input
/// that all share. README.md in this folder tells how it works.
template <class C>
class TensorCoreUnrolledBlock : public TensorCoreStatistics<C> {
 public:
  using Base = TensorCoreStatistics<C>;

  __device__ explicit TensorCoreUnrolledBlock(const TensorCoreTask& task) : Base(task) {}

  __device__ void run() {
    if (blockIdx.x >= t.tiles) return;
    if (t.arrival == 0) {
      for (int i = thread; i < kept_words; i += C::threads) shared().kept[i] = 0;
    }
    if (thread == taking_thread) find_tile(0, blockIdx.x);
    synchronize();
    const bool all_in_float = *t.all_in_float != 0;
    load(0, 0);
    int turn = 0;
    for (;; ++turn) {
      // Asked for early: the answer takes long.
      unsigned taken = 0;
      const bool takes = may_take_another(turn);
      if (takes && thread == taking_thread) taken = take_tile();
      uint4 weights[pairs];
      load_weights(turn, C::split ? 1 : 0, weights);
      await_load();
      synchronize();
      bool in_float = all_in_float;
      const int exponent = convert_in_place(turn, in_float);
      find_places();
      if (thread == taking_thread) note_taken(turn + 1, takes, taken);
      if (in_float) {
        compute_in_float(t, turn);
      } else {
        compute(turn, weights, power_of_two(max(exponent - C::top, 1)));
      }
      if (tile_of(turn + 1).image == not_taken) {
        synchronize();
        if (thread == taking_thread) note_taken(turn + 1, true, take_tile());
        synchronize();
        if (tile_of(turn + 1).image >= 0) load(turn + 1, 0);
      }
      if (tile_of(turn + 1).image == no_tile) break;
    }
    if (t.normalizes) store(turn);
  }

 private:
  using Tile = TensorCoreTile;
  using Base::activation;
  using Base::address_of;
  using Base::await_load;
  using Base::await_statistics;
  using Base::convert_in_place;
  using Base::convolve_in_float;
  using Base::find_tile;
  using Base::kept_words;
  using Base::lane;
  using Base::load;
  using Base::load_fragment;
  using Base::power_of_two;
  using Base::publish;
  using Base::shared;
  using Base::synchronize;
  using Base::t;
  using Base::thread;
  using Base::tile_of;
  using Base::warp;

  static constexpr int rows = tensor_core_unrolled_rows;
  static constexpr int products = tensor_core_unrolled_products;
  static constexpr int blocks = tensor_core_unrolled_columns / 8;  ///< of 8 pixels, of a product
  static constexpr int pairs = (C::kernel + rows - 1) / 2 * C::kernel;

  /// Of 8 pixels and a row, a thread has two neighbours, of one channel.
  using Sums = float[products][blocks][2 * rows];

  __device__ int channel() const { return warp * C::warp_channels + lane / 4; }
  /// Row and column in the tile of a product's first output.
  __device__ static constexpr int row_of(int product) {
    return product / C::products_across * rows;
  }
  __device__ static constexpr int column_of(int product) {
    return product % C::products_across * tensor_core_unrolled_columns;
  }
  /// Column of a lane's first output, from that on.
  __device__ int lane_column() const { return 2 * (lane % 4); }

  /// Instead of a tile's image: all are taken, or none was asked for yet.
  static constexpr int no_tile = -1, not_taken = -2;
  static constexpr int taking_thread = C::threads - 32;

  /// Blocks that are faster take more tiles: with equal numbers they would wait for the others'
  /// statistics. Whoever takes one must not wait for statistics that need it; those it will wait
  /// for first are of an image before, if the tile in hand is of a later one.
  __device__ bool may_take_another(int turn) const {
    return turn == 0 || t.arrival == 0 || tile_of(turn).image > tile_of(turn - 1).image;
  }
  __device__ unsigned take_tile() const { return gridDim.x + atomicAdd(t.tiles_taken, 1u); }
  __device__ void note_taken(int turn, bool is_taken, unsigned tile) const {
    if (is_taken && tile < t.tiles) {
      find_tile(turn, static_cast<int>(tile));
    } else {
      shared().tiles[turn % 4].image = is_taken ? no_tile : not_taken;
    }
  }

  /// Worked out anew, for registers are few.
  __device__ void find_places() {
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
    warp = thread / 32;
    lane = thread % 32;
  }

  /// What a warp does with a tile whose input is converted.
  __device__ void compute(int turn, uint4 (&weights)[pairs], float unscale) {
    Sums sum;
    multiply(turn, weights, sum);
    Wgmma::await();
    Wgmma::keep_in_registers(sum);
    find_places();
    const Tile& tile = tile_of(turn);
    activate(turn, unscale, sum);
    if (t.publishes) {
      if (tile.rows == C::tile_height && tile.columns == C::tile_width) {
        hand_over<true>(turn, sum);
      } else {
        hand_over<false>(turn, sum);
      }
    }
    go_on(turn);
    if (t.normalizes) {
      if (turn > 0) store(turn - 1);
      __syncwarp();
      keep(sum);
    }
  }

  /// Hands the sums of a tile on and has the next one's input loaded, once all warps are done with
  /// this one's.
  __device__ void go_on(int turn) {
    synchronize();
    const int next_image = tile_of(turn + 1).image;
    if (next_image >= 0) load(turn + 1, 0);
    if (t.publishes) publish(turn, next_image == no_tile);
  }

  /// A warp's matrices of weights. \param part 0: high halves, 1: low halves
  __device__ void load_weights(int turn, int part, uint4 (&weights)[pairs]) const {
    const uint4* const fragments =
        t.weights + ((tile_of(turn).m_tile * rows + warp) * pairs * 2 + part) * 32 + lane;
#pragma unroll
    for (int pair = 0; pair < pairs; ++pair) weights[pair] = load_fragment(fragments + pair * 64);
  }

  /// Starts the products of a tile. Small ones come first: what is cut off of a sum grows with it.
  /// \param weights the low halves, with split
  __device__ void multiply(int turn, uint4 (&weights)[pairs], Sums& sum) const {
    if constexpr (C::split) {
      multiply<0, false>(weights, sum);
      Wgmma::await();
      uint4 high[pairs];
      load_weights(turn, 0, high);
      Wgmma::keep_in_registers(sum);
      multiply<1, true>(high, sum);
    } else {
      multiply<0, false>(weights, sum);
    }
  }

  /// \tparam LowInput whether the low halves of the input come before the high ones
  /// \tparam Adds     to the sums there are
  template <int LowInput, bool Adds>
  __device__ void multiply(const uint4 (&weights)[pairs], Sums& sum) const {
    constexpr int pitch = C::patch_pitch;
    constexpr int plane = C::patch_height * pitch;
    const unsigned patch = address_of(shared().patch) / 16 + t.first_place;
    Wgmma::begin();
#pragma unroll
    for (int part = LowInput; part >= 0; --part) {
#pragma unroll
      for (int pair = 0; pair < pairs; ++pair) {
        // Two taps, one below the other.
        const int first = pair / C::kernel * 2 * pitch + pair % C::kernel;
#pragma unroll
        for (int i = 0; i < products; ++i) {
          Wgmma::multiply(
              sum[i], weights[pair],
              patch + (first + row_of(i) * pitch + column_of(i) + part * plane + (pitch << 16)),
              Adds || part < LowInput || pair > 0);
        }
      }
    }
    Wgmma::commit();
  }

  /// Activates the sums of a tile in place.
  __device__ void activate(int turn, float unscale, Sums& sum) const {
    const float4 constant = shared().constants[turn % 2][channel()];
    const float factor = constant.x * unscale;
#pragma unroll
    for (auto& product : sum) {
#pragma unroll
      for (auto& block : product) {
#pragma unroll
        for (float& value : block) value = activation(fmaf(value, factor, constant.y));
      }
    }
  }

  using Moments = TensorCoreMoments;

  template <bool Full>
  __device__ void hand_over(int turn, const Sums& activations) const {
    const Tile& tile = tile_of(turn);
    Moments moments{__shfl_sync(0xffffffffu, activations[0][0][0], lane & ~3)};
#pragma unroll
    for (int i = 0; i < products; ++i) {
#pragma unroll
      for (int below = 0; below < rows; ++below) {
        const int columns =
            row_of(i) + below < tile.rows ? tile.columns - column_of(i) - lane_column() : 0;
#pragma unroll
        for (int n = 0; n < blocks; ++n) {
#pragma unroll
          for (int k = 0; k < 2; ++k) {
            moments.add(activations[i][n][2 * below + k], Full || n * 8 + k < columns, k);
          }
        }
      }
    }
    hand_over(turn, moments);
  }

  /// Puts the sums of a channel's activations and of their squares into shared memory.
  __device__ void hand_over(int turn, Moments moments) const {
    moments.combine();
    if (lane % 4 == 0) {
      const double n = tile_of(turn).rows * tile_of(turn).columns;
      shared().sums[turn % 2][0][channel()] =
          make_double2(moments.sum(n), moments.sum_of_squares(n));
    }
  }

  /// Puts a tile's activations into shared memory, where they wait to be normalised.
  __device__ void keep(const Sums& activations) const {
    float* const target = &shared().activations[channel()][lane_column()];
#pragma unroll
    for (int i = 0; i < products; ++i) {
#pragma unroll
      for (int below = 0; below < rows; ++below) {
#pragma unroll
        for (int n = 0; n < blocks; ++n) {
          *reinterpret_cast<float2*>(target + (row_of(i) + below) * C::tile_width + column_of(i) +
                                     n * 8) =
              make_float2(activations[i][n][2 * below], activations[i][n][2 * below + 1]);
        }
      }
    }
  }

  /// Waits for the statistics of a tile, and writes its part of y.
  __device__ void store(int turn) const {
    const int first = warp * C::warp_channels;
    if (lane < C::warp_channels && first + lane < tile_of(turn).channels) {
      await_statistics(turn, first + lane);
    }
    __syncwarp();
    switch (t.store_floats) {
      case 4:
        return store_as<4>(turn);
      case 2:
        return store_as<2>(turn);
      default:
        return store_as<1>(turn);
    }
  }

  /// Normalises a warp's activations in shared memory on their way to y.
  template <int Floats>
  __device__ void store_as(int turn) const {
    using Word =
        std::conditional_t<Floats == 4, float4, std::conditional_t<Floats == 2, float2, float>>;
    constexpr int words = C::pixels / Floats / 32;
    constexpr int at_once = words < 4 ? words : 4;
    const Tile& tile = tile_of(turn);
    const std::int64_t plane = static_cast<std::int64_t>(t.output_height) * t.output_width;
    const int first = warp * C::warp_channels;
    const int channels = min(tile.channels - first, C::warp_channels);
#pragma unroll 1
    for (int word = 0; word < words; word += at_once) {
      float* target[at_once];
      bool is_output[at_once];
      const int pixel = (word * 32 + lane) * Floats;
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const int row = (pixel + i * 32 * Floats) / C::tile_width;
        const int column = (pixel + i * 32 * Floats) % C::tile_width;
        target[i] =
            t.y +
            (static_cast<std::int64_t>(tile.image) * t.out_channels + tile.channel + first) *
                plane +
            static_cast<std::int64_t>(tile.row + row) * t.output_width + tile.column + column;
        is_output[i] = row < tile.rows && column < tile.columns;
      }
#pragma unroll 2
      for (int channel = 0; channel < channels; ++channel) {
        const float4 n = shared().normalization[turn % 2][first + channel];
        Word values[at_once];
#pragma unroll
        for (int i = 0; i < at_once; ++i) {
          values[i] = *reinterpret_cast<const Word*>(
              &shared().activations[first + channel][pixel + i * 32 * Floats]);
        }
#pragma unroll
        for (int i = 0; i < at_once; ++i) {
          auto* const value = reinterpret_cast<float*>(&values[i]);
#pragma unroll
          for (int k = 0; k < Floats; ++k) value[k] = (value[k] - n.x) * n.y + n.z;
          if (is_output[i]) *reinterpret_cast<Word*>(target[i]) = values[i];
          target[i] += plane;
        }
      }
    }
  }

  /// A tile in float32 throughout, for input or weights whose range float16 does not hold. Out of
  /// line, so that the usual way keeps its sums in registers.
  __device__ __noinline__ static void compute_in_float(const TensorCoreTask& task, int turn) {
    TensorCoreUnrolledBlock(task).compute_tile_in_float(turn);
  }

  /// Twice: the statistics come before waiting for those of the tile before, which may be of the
  /// same image, and that tile is in the way of the activations.
  __device__ void compute_tile_in_float(int turn) {
    const Tile& tile = tile_of(turn);
    const float4 constant = shared().constants[turn % 2][channel()];
    const auto value_of = [&](int pixel) {
      return activation(fmaf(convolve_in_float(tile, pixel, channel()), constant.z, constant.y));
    };
    if (t.publishes) {
      Moments moments{};
#pragma unroll 1
      for (int pixel = lane % 4; pixel < C::pixels; pixel += 4) {
        const float value = value_of(pixel);
        if (pixel < 4) moments.pivot = __shfl_sync(0xffffffffu, value, lane & ~3);
        const bool is_output =
            pixel / C::tile_width < tile.rows && pixel % C::tile_width < tile.columns;
        moments.add(value, is_output, 0);
      }
      hand_over(turn, moments);
    }
    go_on(turn);
    if (t.normalizes) {
      if (turn > 0) store(turn - 1);
      __syncwarp();
#pragma unroll 1
      for (int pixel = lane % 4; pixel < C::pixels; pixel += 4) {
        shared().activations[channel()][pixel] = value_of(pixel);
      }
    }
  }
};

template <class Configuration>
__global__ void __launch_bounds__(Configuration::block_threads,
                                  Configuration::blocks_per_multiprocessor)
    tensor_core_unrolled_block(const __grid_constant__ TensorCoreTask task) {
  TensorCoreUnrolledBlock<Configuration>(task).run();
}

}  // namespace fusedconv::detail

#endif
