// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_KERNEL_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_KERNEL_HPP

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "tensor_core_statistics.hpp"

namespace fusedconv::detail {

/// The whole block of the layer in one kernel on NVIDIA's tensor cores. README.md in this folder
/// tells how it works and why it is faster than the portable kernels, which are its oracle.
template <class C>
class TensorCoreBlock : public TensorCoreStatistics<C> {
 public:
  using Base = TensorCoreStatistics<C>;

  __device__ explicit TensorCoreBlock(const TensorCoreTask& task) : Base(task) {}

  __device__ void run() {
    unsigned k = blockIdx.x;
    if (k >= t.tiles) return;
    for (int i = thread; i < 2 * t.pairs; i += C::block_threads) entry_offsets()[i] = offset_of(i);
    if (t.arrival == 0) {
      for (int i = thread; i < kept_words; i += C::block_threads) shared().kept[i] = 0;
    }
    if (thread == 0) find_tile(0, k);
    __syncthreads();
    if (!C::statistics_warp || warp < C::warps) {
      compute();
    } else {
      keep_statistics();
    }
  }

 private:
  using Tile = TensorCoreTile;
  using Sums = typename Base::Sums;
  using Base::activation;
  using Base::await_statistics;
  using Base::convolve;
  using Base::convolve_in_float;
  using Base::entry_offsets;
  using Base::find_tile;
  using Base::forget_places;
  using Base::kept_words;
  using Base::lane;
  using Base::load;
  using Base::meet;
  using Base::offset_of;
  using Base::publish;
  using Base::shared;
  using Base::synchronize;
  using Base::t;
  using Base::thread;
  using Base::tile_of;
  using Base::warp;
  using Base::warp_m;
  using Base::warp_n;

  /// What all warps do, but the one of the statistics where there is one.
  __device__ void compute() {
    const bool all_in_float = *t.all_in_float != 0;
    std::int64_t k = blockIdx.x;
    load(0, 0);
    int turn = 0;
    for (;; ++turn) {
      k += gridDim.x;
      const bool is_last = k >= t.tiles;
      if (!C::statistics_warp && thread == 0 && !is_last) find_tile(turn + 1, k);
      forget_places();
      Sums sum;
      bool in_float = all_in_float;
      const float unscale = convolve(turn, is_last, in_float, sum);
      forget_places();
      if (in_float) {
        compute_in_float(t, turn, is_last);
      } else {
        finish(turn, is_last, unscale, sum);
      }
      if (is_last) break;
    }
    if (t.normalizes) {
      get_statistics(turn);
      store(turn);
    }
  }

  /// Has what normalising a tile takes in shared memory.
  __device__ void get_statistics(int turn) {
    if constexpr (C::statistics_warp) {
      meet();
    } else {
      await_statistics(turn);
      synchronize();
    }
  }

  /// Activates a tile, hands its sums over, writes the tile before, and keeps this one's
  /// activations. \param unscale what undoes the scale of the input, 0 where it was not scaled
  __device__ void finish(int turn, bool is_last, float unscale, Sums& sum) {
    if constexpr (C::statistics_warp) {
      activate(turn, unscale, sum);
      meet();
      if (!is_last) load(turn + 1, 0);
      if (!t.normalizes) return;
      if (turn > 0) {
        store(turn - 1);
        synchronize();
      }
      forget_places();
      keep(sum);
    } else {
      if (t.normalizes && turn > 0) {
        get_statistics(turn - 1);
        store(turn - 1);
        synchronize();
      }
      forget_places();
      activate(turn, unscale, sum);
      if (t.normalizes) keep(sum);
      synchronize();
      if (t.publishes) publish(turn, is_last);
    }
  }

  /// What a warp of its own does meanwhile: it says where the next tile is, adds the sums of each
  /// tile to the statistics, and waits for those that complete, so that the others need not.
  __device__ void keep_statistics() {
    std::int64_t k = blockIdx.x;
    for (int turn = 0;; ++turn) {
      k += gridDim.x;
      const bool is_last = k >= t.tiles;
      if (lane == 0 && !is_last) find_tile(turn + 1, k);
      meet();
      if (t.publishes) publish(turn, is_last);
      if (t.normalizes) await_statistics(turn);
      if (is_last) break;
    }
    if (t.normalizes) meet();
  }

  /// Convolution and activation of a tile in float32 throughout, for input or weights whose range
  /// float16 does not hold. Out of line, so that the usual way keeps its sums in registers.
  __device__ __noinline__ static void compute_in_float(const TensorCoreTask& task, int turn,
                                                       bool is_last) {
    TensorCoreBlock block(task);
    Sums sum;
    block.convolve_in_float(tile_of(turn), sum);
    block.finish(turn, is_last, 0.0f, sum);
  }

  /// All bits where a thread's pixel is an output, else none. Returns their number.
  __device__ int find_outputs(const Tile& tile, unsigned (&is_output)[C::n_tiles][2]) const {
    int count = 0;
#pragma unroll
    for (int n = 0; n < C::n_tiles; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int pixel = warp_n() * C::warp_pixels + n * 8 + 2 * (lane % 4) + i;
        const int row = t.by_tile_width.quotient(pixel);
        const bool is = row < tile.rows && pixel - row * t.tile_width < tile.columns;
        is_output[n][i] = is ? ~0u : 0u;
        count += is;
      }
    }
    return count;
  }

  /// Puts a tile's activations into shared memory, where they wait to be normalised.
  __device__ void keep(const Sums& activations) const {
#pragma unroll
    for (int m = 0; m < C::m_tiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int channel = (warp_m() * C::m_tiles + m) * 16 + half * 8 + lane / 4;
        float* const row =
            &shared().activations[channel][warp_n() * C::warp_pixels + 2 * (lane % 4)];
#pragma unroll
        for (int n = 0; n < C::n_tiles; ++n) {
          *reinterpret_cast<float2*>(row + n * 8) =
              make_float2(activations[m][n][2 * half], activations[m][n][2 * half + 1]);
        }
      }
    }
  }

  /// Activates the sums of a tile in place, and puts the sums of the activations and of their
  /// squares into shared memory. \param unscale what undoes the scale of the input, 0 where it was
  /// not scaled
  __device__ void activate(int turn, float unscale, Sums& sum) {
    const Tile& tile = tile_of(turn);
    const bool is_full = tile.rows == t.tile_height && tile.columns == t.tile_width &&
                         t.tile_height * t.tile_width == C::pixels;
    if (is_full) {
      activate_pixels<true>(turn, unscale, sum);
    } else {
      activate_pixels<false>(turn, unscale, sum);
    }
  }

  template <bool Full>
  __device__ void activate_pixels(int turn, float unscale, Sums& sum) {
    const Tile& tile = tile_of(turn);
    const float4* const constants = shared().constants[turn % 2];
    unsigned is_output[C::n_tiles][2];
    int count = C::n_tiles * 8;
    if constexpr (!Full) {
      count = find_outputs(tile, is_output);
      count += __shfl_xor_sync(0xffffffffu, count, 1);
      count += __shfl_xor_sync(0xffffffffu, count, 2);
    }
#pragma unroll
    for (int m = 0; m < C::m_tiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int channel = (warp_m() * C::m_tiles + m) * 16 + half * 8 + lane / 4;
        const float4 constant = constants[channel];  // of channels there are not: anything
        const float factor = unscale == 0 ? constant.z : constant.x * unscale;
#pragma unroll
        for (int n = 0; n < C::n_tiles; ++n) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            float& value = sum[m][n][2 * half + i];
            value = activation(fmaf(value, factor, constant.y));
          }
        }
        const float pivot = pivot_of<Full>(sum[m], half, is_output);
        float shifted_of[4] = {}, squares_of[4] = {};  // chains of additions side by side
#pragma unroll
        for (int n = 0; n < C::n_tiles; ++n) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const int chain = (2 * n + i) % 4;
            float value = sum[m][n][2 * half + i];
            if constexpr (!Full) {
              value = __uint_as_float((__float_as_uint(value) & is_output[n][i]) |
                                      (__float_as_uint(pivot) & ~is_output[n][i]));
            }
            const float d = value - pivot;
            shifted_of[chain] += d;
            squares_of[chain] = fmaf(d, d, squares_of[chain]);
          }
        }
        float shifted = (shifted_of[0] + shifted_of[1]) + (shifted_of[2] + shifted_of[3]);
        float squares = (squares_of[0] + squares_of[1]) + (squares_of[2] + squares_of[3]);
#pragma unroll
        for (int other = 1; other < 4; other *= 2) {
          shifted += __shfl_xor_sync(0xffffffffu, shifted, other);
          squares += __shfl_xor_sync(0xffffffffu, squares, other);
        }
        if (lane % 4 == 0) {
          const double p = pivot;
          const double n = count;
          shared().sums[turn % 2][warp_n()][channel] =
              make_double2(n * p + shifted, p * (n * p + 2.0 * shifted) + squares);
        }
      }
    }
  }

  /// One of the activations that four threads have of a channel: relative to it nothing cancels
  /// where they are alike. The threads' first pixel need not be an output, though others are.
  template <bool Full>
  __device__ float pivot_of(const float (&activations)[C::n_tiles][4], int half,
                            const unsigned (&is_output)[C::n_tiles][2]) const {
    float pivot = activations[0][2 * half];
    if constexpr (!Full) {
      pivot = 0;
#pragma unroll
      for (int n = C::n_tiles - 1; n >= 0; --n) {
#pragma unroll
        for (int i = 1; i >= 0; --i) {
          pivot =
              __uint_as_float((__float_as_uint(activations[n][2 * half + i]) & is_output[n][i]) |
                              (__float_as_uint(pivot) & ~is_output[n][i]));
        }
      }
      // Of threads without any, 0, which is below the others'.
      pivot = fmaxf(pivot, __shfl_xor_sync(0xffffffffu, pivot, 1));
      pivot = fmaxf(pivot, __shfl_xor_sync(0xffffffffu, pivot, 2));
    }
    return __shfl_sync(0xffffffffu, pivot, lane & ~3);
  }

  __device__ void store(int turn) const {
    switch (t.store_floats) {
      case 4:
        return store_as<4>(turn);
      case 2:
        return store_as<2>(turn);
      default:
        return store_as<1>(turn);
    }
  }

  /// Normalises the activations in shared memory on their way to y, past the caches: nobody here
  /// reads them again.
  template <int Floats>
  __device__ void store_as(int turn) const {
    const Tile& tile = tile_of(turn);
    const float4* const normalization = shared().normalization[turn % 2];
    constexpr int words = C::pixels / Floats;
    constexpr int lanes = words < C::threads ? words : C::threads;
    const std::int64_t plane = static_cast<std::int64_t>(t.output_height) * t.output_width;
    float* const target =
        t.y + (static_cast<std::int64_t>(tile.image) * t.out_channels + tile.channel) * plane +
        static_cast<std::int64_t>(tile.row) * t.output_width + tile.column;
    for (int word = thread % lanes; word < words; word += lanes) {
      const int pixel = word * Floats;
      const int row = t.by_tile_width.quotient(pixel);
      const int column = pixel - row * t.tile_width;
      if (row >= tile.rows || column >= tile.columns) continue;
      constexpr int step = C::threads / lanes;
      float* const to = target + thread / lanes * plane +
                        static_cast<std::int64_t>(row) * t.output_width + column;
      if (tile.channels == C::channels) {
        store_word<Floats, C::channels / step>(normalization, to, pixel, thread / lanes, step,
                                               step * plane);
      } else {
        for (int channel = thread / lanes; channel < tile.channels; channel += step) {
          store_word<Floats, 1>(normalization, to + (channel - thread / lanes) * plane, pixel,
                                channel, 0, 0);
        }
      }
    }
  }

  /// The same word of some channels: a few are read from shared memory before they are written.
  template <int Floats, int Channels>
  __device__ void store_word(const float4* normalization, float* to, int pixel, int channel,
                             int step, std::int64_t step_floats) const {
    using Word =
        std::conditional_t<Floats == 4, float4, std::conditional_t<Floats == 2, float2, float>>;
    constexpr int at_once = Channels % 4 == 0 ? 4 : 1;
#pragma unroll 2
    for (int first = 0; first < Channels; first += at_once) {
      Word word[at_once];
      float4 n[at_once];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        n[i] = normalization[channel + i * step];
        word[i] = *reinterpret_cast<const Word*>(&shared().activations[channel + i * step][pixel]);
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        auto* const values = reinterpret_cast<float*>(&word[i]);
#pragma unroll
        for (int k = 0; k < Floats; ++k) values[k] = (values[k] - n[i].x) * n[i].y + n[i].z;
        __stcs(reinterpret_cast<Word*>(to), word[i]);
        to += step_floats;
      }
      channel += at_once * step;
    }
  }
};

template <class Configuration>
__global__ void __launch_bounds__(Configuration::block_threads,
                                  Configuration::blocks_per_multiprocessor)
    tensor_core_block(const __grid_constant__ TensorCoreTask task) {
#if __CUDA_ARCH__ >= 800
  TensorCoreBlock<Configuration>(task).run();
#endif
}

}  // namespace fusedconv::detail

#endif
