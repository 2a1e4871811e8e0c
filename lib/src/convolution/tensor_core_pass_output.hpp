// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_OUTPUT_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_OUTPUT_HPP

#include <cuda.h>

#include <cstdint>

#include "tensor_core_band.hpp"

namespace fusedconv::detail {

/// How the second pass over a large image writes y: a warp puts the rows of its channels side by
/// side into shared memory, from where bulk copies take them while it computes the next tile.
template <class C>
class TensorCorePassOutput : public TensorCoreBands<C> {
 protected:
  using Base = TensorCoreBands<C>;
  using Base::address_of;
  using Base::lane;
  using Base::shared;
  using Base::t;
  using Base::warp;

  static constexpr int rows = C::tile_height;
  static constexpr int blocks = C::part_columns / 8;
  /// Of 8 columns and two rows a thread has two neighbours each, of one channel.
  using Sums = float[blocks][2 * rows];

  __device__ TensorCorePassOutput(const TensorCoreTask& task, const CUtensorMap& map)
      : Base(task, map) {}

  __device__ static TensorCoreTile& strip(int turn) { return shared().strips[turn % 2]; }
  __device__ int channel() const { return warp * C::warp_channels + lane / 4; }
  /// Column of a lane's first sum, from the part's first on.
  __device__ int lane_column() const { return 2 * (lane % 4); }

  /// The difference is rounded by itself: fused with the product that an activation is, it would
  /// have other bits in one of put()'s branches than in the other, which y's address chooses.
  __device__ float normalized(float activation) const {
    return fmaf(__fsub_rn(activation, normalization.x), normalization.y, normalization.z);
  }

  /// First output of a row in a channel of the strip.
  __device__ float* output_of(int turn, int row, int channel) const {
    const TensorCoreTile& s = strip(turn);
    return t.y +
           ((static_cast<std::int64_t>(s.image) * t.out_channels + s.channel + channel) *
                t.output_height +
            s.row + row) *
               t.output_width +
           s.column;
  }

  /// Floats of y before a row of the strip, modulo 2^32. A strip writes from the beginning of a
  /// sector of y to that of another, if y begins with one: worked out from the place in the image,
  /// for a block of rows is to have the bits of the whole.
  /// \param row     of the strip
  /// \param channel of the strip
  __device__ unsigned floats_before(int turn, int row, int channel) const {
    const TensorCoreTile& s = strip(turn);
    return (static_cast<unsigned>(s.channel + channel) * t.image_output_height +
            t.first_output_row + s.row + row) *
           t.output_width;
  }
  /// What it writes of a row, from its first column on.
  struct Columns {
    int begin, end;
  };
  __device__ Columns columns_of(int turn, unsigned floats_before_row) const {
    const TensorCoreTile& s = strip(turn);
    const int shift = -floats_before_row % tensor_core_sector;
    return {s.column == 0 ? 0 : shift, min(t.strip_columns + shift, s.columns)};
  }

  /// Puts a part's activations, normalised, to where they are written from.
  __device__ void put(int turn, int tile, int part, const Sums& activations) const {
#pragma unroll
    for (int below = 0; below < rows; ++below) {
      const int after = floats_after_word(output_of(turn, tile * rows + below, channel()));
      float* const target =
          shared().output[channel()][below] + after + part * C::part_columns + lane_column();
      if (after % 2 == 0) {
#pragma unroll
        for (int n = 0; n < blocks; ++n) {
          *reinterpret_cast<float2*>(target + n * 8) = make_float2(
              normalized(activations[n][2 * below]), normalized(activations[n][2 * below + 1]));
        }
      } else {
#pragma unroll
        for (int n = 0; n < blocks; ++n) {
          target[n * 8] = normalized(activations[n][2 * below]);
          target[n * 8 + 1] = normalized(activations[n][2 * below + 1]);
        }
      }
    }
  }

  /// Until what a warp has put before has been read and may be overwritten.
  __device__ static void await_stores() {
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
    __syncwarp();
  }

  /// Starts writing what a warp has put, a lane each row of a channel: whole words by a bulk copy,
  /// which nobody waits for, and what is beside them at the ends of a row one by one.
  __device__ void store(int turn, int tile) const {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncwarp();
    const TensorCoreTile& s = strip(turn);
    const int below = lane / C::warp_channels;
    const int row = tile * rows + below;
    const int stored = warp * C::warp_channels + lane % C::warp_channels;
    if (below < rows && row < s.rows && stored < s.channels) {
      float* const target = output_of(turn, row, stored);
      const int after = floats_after_word(target);
      const float* const source = shared().output[stored][below] + after;
      const Columns columns = columns_of(turn, floats_before(turn, row, stored));
      const int begin = (columns.begin + after + 3) / 4 * 4 - after;
      const int end = (columns.end + after) / 4 * 4 - after;
      if (begin < end) {
        asm volatile(
            "cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(target + begin),
            "r"(address_of(source + begin)), "r"((end - begin) * 4)
            : "memory");
      }
      for (int column = columns.begin; column < min(begin, columns.end); ++column) {
        target[column] = source[column];
      }
      for (int column = max(end, begin); column < columns.end; ++column) {
        target[column] = source[column];
      }
    }
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
  }

  /// Until all that was stored is written.
  __device__ static void end_stores() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

  float3 normalization;  ///< mean, factor, offset

 private:
  /// Floats from where a word of 16 bytes begins to an output. Bulk copies write whole words, from
  /// where whole words lie in shared memory.
  __device__ static int floats_after_word(const float* output) {
    return static_cast<int>(reinterpret_cast<std::uintptr_t>(output) / sizeof(float) % 4);
  }
};

}  // namespace fusedconv::detail

#endif
