// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_THREAD_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_THREAD_HPP

#include <cstdint>

#include "tensor_core_configuration.hpp"
#include "tensor_core_task.hpp"

namespace fusedconv::detail {

/// A thread of a block of the tensor cores' kernel: who it is, what it shares with the others, and
/// where it meets them.
template <class C>
class TensorCoreThread {
 protected:
  using Tile = TensorCoreTile;

  __device__ explicit TensorCoreThread(const TensorCoreTask& task)
      : t(task), thread(threadIdx.x), warp(threadIdx.x / 32), lane(threadIdx.x % 32) {}

  __device__ static TensorCoreShared<C>& shared() {
    return *reinterpret_cast<TensorCoreShared<C>*>(tensor_core_shared);
  }
  __device__ float* raw() const {
    return reinterpret_cast<float*>(shared().patch + (C::one_chunk ? 0 : t.patch_bytes / 16));
  }
  __device__ int* entry_offsets() const {
    return reinterpret_cast<int*>(raw() + t.chunk_channels * t.patch_plane);
  }
  __device__ static const Tile& tile_of(int turn) { return shared().tiles[turn % 4]; }
  __device__ int warp_m() const { return warp % C::warps_m; }
  __device__ int warp_n() const { return warp / C::warps_m; }
  template <class Value>
  __device__ static unsigned address_of(const Value* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
  }

  __device__ void find_tile(int turn, int i) const {
    Tile& tile = shared().tiles[turn % 4];
    const Place place = find_channels(tile, i, t.by_tiles_across, t.by_tiles_down);
    tile.row = place.down * t.tile_height;
    // Turned from row to row: else all blocks of a multiprocessor could have the last column of
    // tiles, which takes longest where it is cut off, and the others would wait for them.
    tile.column = (place.across + place.down) % t.tiles_across * t.tile_width;
    tile.rows = min(t.output_height - tile.row, t.tile_height);
    tile.columns = min(t.output_width - tile.column, t.tile_width);
  }

  /// Where one is among those of its image and channels.
  struct Place {
    int across, down;
  };
  /// Works out of a number the image and the channels.
  __device__ Place find_channels(Tile& tile, int i, const FastDivision& by_across,
                                 const FastDivision& by_down) const {
    const int channel_tile = t.by_channel_tiles.divide(i);
    const int across = by_across.divide(i);
    const int down = by_down.divide(i);
    tile.image = i;
    tile.group = channel_tile;
    const int in_group = t.by_channel_tiles_per_group.divide(tile.group) * C::channels;
    tile.channel = tile.group * t.group_out_channels + in_group;
    tile.m_tile = channel_tile * (C::channels / 16);
    tile.channels = min(t.group_out_channels - in_group, C::channels);
    return {across, down};
  }

  /// 1 / (1 + 2^exponent).
  __device__ static float activation(float exponent) {
    float power, result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(1.0f + power));
    return result;
  }

  /// The same of two, with one reciprocal, of their product: the units for functions like it are
  /// what passes with little else to do wait for. Powers are cut off where the product would
  /// overflow; what they leave of an activation is below 2^-62 either way.
  __device__ static void activate_pair(float& first, float& second) {
    const float reciprocal = turn_into_denominators(first, second);
    const float a = first;
    first = second * reciprocal;
    second = a * reciprocal;
  }

  /// What two activations have more than `pivot`, rounded once: an instruction less for each.
  __device__ static void activate_pair_beyond(float pivot, float& first, float& second) {
    const float reciprocal = turn_into_denominators(first, second);
    const float a = first;
    first = fmaf(second, reciprocal, -pivot);
    second = fmaf(a, reciprocal, -pivot);
  }

  /// Makes 1 + 2^exponent of two exponents. Returns the reciprocal of their product.
  __device__ static float turn_into_denominators(float& first, float& second) {
    const auto denominator = [](float exponent) {
      constexpr unsigned largest = 0x5f000000;  // 2^63
      float power;
      asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
      asm("min.NaN.f32 %0, %0, %1;" : "+f"(power) : "f"(__uint_as_float(largest)));
      return 1.0f + power;
    };
    first = denominator(first);
    second = denominator(second);
    float reciprocal;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(first * second));
    return reciprocal;
  }

  /// First input column of a tile's patch.
  __device__ int first_column(const Tile& tile) const {
    const int left = tile.column * t.stride_width - t.padding_width;
    return t.begins_with_words ? left & ~3 : left;
  }

  /// Where the computing warps hand the sums of a tile to the last one, and get from it what
  /// normalising the tile before takes. Both kinds of warps come to it at places of their own,
  /// which __syncthreads() does not allow.
  __device__ static void meet() {
    __syncwarp();
    asm volatile("barrier.cta.sync 2, %0;" ::"n"(C::block_threads) : "memory");
  }

  /// A barrier of the computing warps.
  __device__ static void synchronize() {
    asm volatile("barrier.cta.sync.aligned 1, %0;" ::"n"(C::threads) : "memory");
  }

  /// The same; returns how many of their threads say so.
  __device__ static int count(bool says) {
    int result;
    asm volatile(
        "{.reg .pred p;\n setp.ne.s32 p, %1, 0;\n barrier.cta.red.popc.aligned.u32 %0, 1, %2, p;}"
        : "=r"(result)
        : "r"(static_cast<int>(says)), "n"(C::threads)
        : "memory");
    return result;
  }

  /// Hides from the compiler that these stay the same, so that each phase works out its places
  /// anew: kept from tile to tile they would take registers that the sums need.
  __device__ void forget_places() { asm volatile("" : "+r"(thread), "+r"(warp), "+r"(lane)); }

  const TensorCoreTask& t;
  int thread, warp, lane;
};

}  // namespace fusedconv::detail

#endif
