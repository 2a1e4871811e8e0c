// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PRODUCT_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PRODUCT_HPP

#include <cstdint>

#include "tensor_core_input.hpp"
#include "tensor_core_warpgroup.hpp"

namespace fusedconv::detail {

/// The convolution of a tile, in the registers of its warps.
template <class C>
class TensorCoreProduct : public TensorCoreInput<C> {
 protected:
  using Base = TensorCoreInput<C>;
  using Tile = TensorCoreTile;
  using Sums = float[C::m_tiles][C::n_tiles][4];  ///< accumulators of mma.sync, in its order
  using Base::address_of;
  using Base::await_load;
  using Base::convert;
  using Base::convert_in_place;
  using Base::entry_offsets;
  using Base::first_column;
  using Base::lane;
  using Base::load;
  using Base::power_of_two;
  using Base::shared;
  using Base::synchronize;
  using Base::t;
  using Base::tile_of;
  using Base::warp;
  using Base::warp_m;
  using Base::warp_n;

  __device__ explicit TensorCoreProduct(const TensorCoreTask& task) : Base(task) {
    if constexpr (!C::by_warpgroup) {
#pragma unroll
      for (int i = 0; i < addresses; ++i)
        row_address[i] = address_of_row(i * pixels_of_load, C::split);
    }
    if constexpr (!C::by_warpgroup && C::one_chunk && C::split)
      high_row_address = address_of_row(0, false);
  }

  /// Where a lane's row is for a load of four matrices of 8 pixels x 8 channels from a warp's pixel
  /// on: a block of channels and its partner in the pair by turns; of 8 pixels their high halves
  /// and then their low ones, or of 16 pixels high halves alone.
  __device__ unsigned address_of_row(int first, bool with_low_halves) const {
    int pixel =
        warp_n() * C::warp_pixels + first + lane % 8 + (with_low_halves ? 0 : lane / 16 * 8);
    if (pixel >= t.tile_height * t.tile_width) pixel = 0;
    const int row = t.by_tile_width.quotient(pixel);
    const int column = pixel - row * t.tile_width;
    return address_of(shared().patch) +
           (row * t.stride_height * t.patch_pitch + column * t.stride_width) * 16 +
           (with_low_halves && lane >= 16 ? t.patch_plane * 16 : 0);
  }

  static constexpr int pixels_of_load = C::split ? 8 : 16;  ///< of four matrices
  static constexpr int loads = C::warp_pixels / pixels_of_load;
  /// Where a warp's pixels are neighbours in a row, one address leads to all.
  static constexpr int addresses = C::one_chunk ? 1 : loads;

  /// Byte offset in a chunk's patch of (block of 8 input channels, tap).
  __device__ int offset_of(int entry) const {
    const int taps = t.kernel_height * t.kernel_width;
    entry = min(entry, t.chunk_channels / 8 * taps - 1);
    const int block = entry / taps;
    const int row = entry % taps / t.kernel_width;
    const int column = entry % taps % t.kernel_width;
    return (block * (C::split ? 2 : 1) * t.patch_plane + row * t.dilation_height * t.patch_pitch +
            column * t.dilation_width) *
           16;
  }

  __device__ static void load_matrices(unsigned (&r)[4], unsigned address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address));
  }

  /// d += a b of 16 x 16 and 16 x 8 float16.
  __device__ static void multiply_16(float (&d)[4], unsigned a0, unsigned a1, unsigned a2,
                                     unsigned a3, unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }

  /// d += a b of 16 x 8 and 8 x 8 float16.
  __device__ static void multiply_8(float (&d)[4], unsigned a0, unsigned a1, unsigned b0) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
        "{%0, %1, %2, %3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(b0));
  }

  /// The weights of a pair, as a lane holds them: the high halves of both, then the low halves.
  struct Weights {
    uint4 high[C::m_tiles], low[C::m_tiles];
  };

  /// Kept where it is written: the compiler would otherwise load ahead more than registers hold.
  __device__ static uint4 load_fragment(const uint4* fragment) {
    uint4 word;
    asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(word.x), "=r"(word.y), "=r"(word.z), "=r"(word.w)
                 : "l"(fragment));
    return word;
  }

  /// \tparam WithLow whether the low halves are wanted too
  template <bool WithLow>
  __device__ Weights fetch(const uint4* fragment) const {
    Weights weights;
#pragma unroll
    for (int m = 0; m < C::m_tiles; ++m) {
      weights.high[m] = load_fragment(fragment + m * t.pairs_of_group * 64);
      if constexpr (WithLow) {
        weights.low[m] = load_fragment(fragment + m * t.pairs_of_group * 64 + 32);
      }
    }
    return weights;
  }

  /// Adds the products of a pair of (block of 8 input channels, tap); of its first alone with
  /// `Single`; of float16 operands that were not split, or of high halves, or of high with low
  /// ones. \param offset of the pair's first in the patch for half of the lanes, of its second for
  /// the
  ///               others
  template <bool Single>
  __device__ void multiply_pair(Sums& sum, const Weights& weights, int offset) const {
    constexpr int at_once = 2;  // so that products that depend on each other lie apart
#pragma unroll
    for (int i = 0; i < loads; i += at_once) {
      unsigned b[at_once][4];
#pragma unroll
      for (int j = 0; j < at_once; ++j) load_matrices(b[j], row_of(i + j) + offset);
      if constexpr (C::split) {
        // Small products first: what is cut off of a sum grows with it. In the kernel of one chunk
        // the products of high halves follow apart.
#pragma unroll
        for (int product = 0; product < (C::one_chunk ? 2 : 3); ++product) {
#pragma unroll
          for (int j = 0; j < at_once; ++j) {
#pragma unroll
            for (int m = 0; m < C::m_tiles; ++m) {
              const int half = product == 0 ? 2 : 0;
              multiply<Single>(sum[m][i + j], product == 1 ? weights.low[m] : weights.high[m],
                               b[j][half], b[j][half + 1]);
            }
          }
        }
      } else {
#pragma unroll
        for (int j = 0; j < at_once; ++j) multiply_high<Single>(sum, i + j, weights.high, b[j]);
      }
    }
  }

  /// The products of high halves that multiply_pair leaves out.
  template <bool Single>
  __device__ void multiply_high_halves(Sums& sum, const Weights& weights, int offset) const {
#pragma unroll
    for (int i = 0; i < loads / 2; ++i) {
      unsigned b[4];
      load_matrices(b, high_row_address + offset + i * 16 * 16);
      multiply_high<Single>(sum, i, weights.high, b);
    }
  }

  /// Products of high halves with 16 pixels.
  template <bool Single>
  __device__ static void multiply_high(Sums& sum, int i, const uint4 (&weights)[C::m_tiles],
                                       const unsigned (&b)[4]) {
#pragma unroll
    for (int m = 0; m < C::m_tiles; ++m) {
      multiply<Single>(sum[m][2 * i], weights[m], b[0], b[1]);
      multiply<Single>(sum[m][2 * i + 1], weights[m], b[2], b[3]);
    }
  }

  __device__ unsigned row_of(int load) const {
    if constexpr (C::one_chunk) return row_address[0] + load * pixels_of_load * 16;
    return row_address[C::one_chunk ? 0 : load];
  }

  template <bool Single>
  __device__ static void multiply(float (&d)[4], const uint4& a, unsigned b0, unsigned b1) {
    if constexpr (Single) {
      multiply_8(d, a.x, a.y, b0);
    } else {
      multiply_16(d, a.x, a.y, a.z, a.w, b0, b1);
    }
  }

  __device__ static void clear(Sums& sum) {
#pragma unroll
    for (auto& m : sum) {
#pragma unroll
      for (auto& n : m) {
#pragma unroll
        for (float& value : n) value = 0;
      }
    }
  }

  __device__ static void add(Sums& sum, const Sums& part) {
#pragma unroll
    for (int m = 0; m < C::m_tiles; ++m) {
#pragma unroll
      for (int n = 0; n < C::n_tiles; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[m][n][i] += part[m][n][i];
      }
    }
  }

  /// Starts adding the products of some pairs of (block of 8 input channels, tap); small ones come
  /// first, as in multiply_pair. Parts begin with zero.
  template <int Pairs>
  __device__ void multiply_by_warpgroup(Sums& sum, const Weights (&weights)[Pairs],
                                        int first_pair) const {
    constexpr int strips = C::pixels / tensor_core_warpgroup_strip;
    constexpr int n_tiles = C::n_tiles / strips;
    const unsigned patch = address_of(shared().patch) / 16;
    Wgmma::begin();
#pragma unroll
    for (int i = 0; i < Pairs; ++i) {
#pragma unroll
      for (int product = 0; product < (C::split ? 3 : 1); ++product) {
        const bool is_low_weight = product == 1;
        const int low_input = C::split && product == 0 ? t.patch_plane : 0;
#pragma unroll
        for (int strip = 0; strip < strips; ++strip) {
          Wgmma::multiply(*reinterpret_cast<float(*)[n_tiles][4]>(&sum[0][strip * n_tiles]),
                          is_low_weight ? weights[i].low[0] : weights[i].high[0],
                          t.pair_places[first_pair + i] + patch + low_input + strip * t.strip_step,
                          !C::in_parts || i > 0 || product > 0);
        }
      }
    }
    Wgmma::commit();
  }

  /// The convolution of a tile, its weights' row scales and the returned factor apart. Where
  /// input comes in chunks, each starts the copy of the next, the last that of the next tile.
  __device__ float convolve(int turn, bool is_last, bool& in_float, Sums& sum) {
    clear(sum);
    const Tile& tile = tile_of(turn);
    const uint4* const weights =
        t.weights +
        static_cast<std::int64_t>(tile.m_tile + warp_m() * C::m_tiles) * t.pairs_of_group * 64 +
        lane;
    const int shift = (tile.column * t.stride_width - t.padding_width - first_column(tile)) * 16;
    const bool is_partner = (lane & 8) != 0;
    int exponent = 0;
    if constexpr (C::one_chunk) {
      await_load();
      synchronize();
      exponent = convert_in_place(turn, in_float);
      constexpr int entries = C::kernel * C::kernel;
      const int* const offsets = entry_offsets() + is_partner;
#pragma unroll 1
      for (int pair = 0; pair < entries / 2; ++pair) {
        multiply_pair<false>(sum, fetch<C::split>(weights + pair * 64), shift + offsets[2 * pair]);
      }
      const int last = entries / 2;
      multiply_pair<true>(sum, fetch<C::split>(weights + last * 64), shift + offsets[2 * last]);
      if constexpr (C::split) {
        // Last, so that sums are large, and what is cut off of them with them, in few steps only.
#pragma unroll 1
        for (int pair = 0; pair < entries / 2; ++pair) {
          multiply_high_halves<false>(sum, fetch<false>(weights + pair * 64),
                                      shift + offsets[2 * pair]);
        }
        multiply_high_halves<true>(sum, fetch<false>(weights + last * 64),
                                   shift + offsets[2 * last]);
      }
    } else {
      // The weights of a step are on their way while the one before is computed.
      const uint4* fragment = weights;
      const uint4* const last_fragment = weights + (t.pairs_of_group - 1) * 64;
      const auto next_of = [&](const uint4* f) { return f == last_fragment ? f : f + 64; };
      constexpr int ahead = C::by_warpgroup ? tensor_core_warpgroup_pairs : 1;
      Weights following[ahead];
#pragma unroll
      for (int i = 0; i < ahead; ++i) following[i] = fetch<C::split>(weights + i * 64);
      for (int chunk = 0; chunk < t.chunks; ++chunk) {
        await_load();
        synchronize();
        const float rescale = convert(turn, chunk, exponent, in_float);
        if (chunk + 1 < t.chunks) {
          load(turn, chunk + 1);
        } else if (!is_last) {
          load(turn + 1, 0);
        }
        if (rescale != 1) {
#pragma unroll
          for (auto& m : sum) {
#pragma unroll
            for (auto& n : m) {
#pragma unroll
              for (float& value : n) value *= rescale;
            }
          }
        }
        const int* const offsets = entry_offsets() + is_partner;
        const auto step = [&](Sums& to, int pair) {
          const Weights weights = following[0];
          following[0] = fetch<C::split>(fragment = next_of(fragment));
          multiply_pair<false>(to, weights, shift + offsets[2 * pair]);
        };
        if constexpr (C::by_warpgroup) {
          Wgmma::keep_in_registers(sum);
#pragma unroll 1
          for (int first = 0; first < t.pairs; first += ahead) {
            Weights weights[ahead];
#pragma unroll
            for (int i = 0; i < ahead; ++i) weights[i] = following[i];
            Sums part;
            fragment = fragment + ahead * 64 > last_fragment ? fragment : fragment + ahead * 64;
#pragma unroll
            for (int i = 0; i < ahead; ++i) following[i] = fetch<C::split>(fragment + i * 64);
            multiply_by_warpgroup(C::in_parts ? part : sum, weights, first);
            Wgmma::await();
            if constexpr (C::in_parts) add(sum, part);
          }
          Wgmma::keep_in_registers(sum);
        } else if constexpr (C::in_parts) {
#pragma unroll 1
          for (int first = 0; first < t.pairs; first += C::pairs_per_part) {
            Sums part;
            clear(part);
            if (first + C::pairs_per_part <= t.pairs) {
#pragma unroll
              for (int pair = 0; pair < C::pairs_per_part; ++pair) step(part, first + pair);
            } else {
#pragma unroll 1
              for (int pair = first; pair < t.pairs; ++pair) step(part, pair);
            }
            add(sum, part);
          }
        } else {
#pragma unroll 3
          for (int pair = 0; pair < t.pairs; ++pair) step(sum, pair);
        }
      }
      if (exponent == 0) exponent = 127;
    }
    return power_of_two(max(exponent - C::top, 1));
  }

  /// The convolution at one output in float32 throughout, 0 where the tile has no such channel.
  __device__ float convolve_in_float(const Tile& tile, int pixel, int channel) const {
    if (channel >= tile.channels) return 0;
    constexpr int max_taps_summed = 256;
    const int taps = t.kernel_height * t.kernel_width;
    const float* const planes =
        t.x + static_cast<std::int64_t>(tile.image * t.groups + tile.group) * t.group_in_channels *
                  t.input_plane;
    const int tile_row = t.by_tile_width.quotient(pixel);
    const std::int64_t top =
        static_cast<std::int64_t>(tile.row + tile_row) * t.stride_height - t.padding_height;
    const std::int64_t left =
        static_cast<std::int64_t>(tile.column + pixel - tile_row * t.tile_width) * t.stride_width -
        t.padding_width;
    const float* weight = t.float_weights + static_cast<std::int64_t>(tile.channel + channel) *
                                                t.group_in_channels * taps;
    float total = 0, part = 0;
    int summed = 0;
    for (int ci = 0; ci < t.group_in_channels; ++ci) {
      for (int kh = 0; kh < t.kernel_height; ++kh) {
        const std::int64_t row = top + static_cast<std::int64_t>(kh) * t.dilation_height;
        for (int kw = 0; kw < t.kernel_width; ++kw) {
          const std::int64_t column = left + static_cast<std::int64_t>(kw) * t.dilation_width;
          const bool inside = row >= 0 && row < t.height && column >= 0 && column < t.width;
          part += *weight++ * (inside ? planes[ci * t.input_plane + row * t.width + column] : 0.0f);
        }
      }
      summed += taps;
      if (summed >= max_taps_summed) {
        total += part;
        part = 0;
        summed = 0;
      }
    }
    return total + part;
  }

  __device__ void convolve_in_float(const Tile& tile, Sums& sum) const {
#pragma unroll 1
    for (int n = 0; n < C::n_tiles; ++n) {
#pragma unroll 1
      for (int i = 0; i < 2; ++i) {
        const int pixel = warp_n() * C::warp_pixels + n * 8 + 2 * (lane % 4) + i;
#pragma unroll
        for (int m = 0; m < C::m_tiles; ++m) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int channel = (warp_m() * C::m_tiles + m) * 16 + half * 8 + lane / 4;
            sum[m][n][2 * half + i] = convolve_in_float(tile, pixel, channel);
          }
        }
      }
    }
  }

  unsigned row_address[addresses];
  unsigned high_row_address = 0;  ///< for products of high halves alone
};

}  // namespace fusedconv::detail

#endif
