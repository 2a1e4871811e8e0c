// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_INPUT_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_INPUT_HPP

#include <cstdint>

#include "tensor_core_thread.hpp"

namespace fusedconv::detail {

/// The input of a tile on its way from global memory to float16 in shared memory.
///
/// Values are scaled by a power of two so that the largest of a tile fills float16's range; an
/// input whose range float16 does not hold is found out, and its tile left to float32.
template <class C>
class TensorCoreInput : public TensorCoreThread<C> {
 protected:
  using Base = TensorCoreThread<C>;
  using Tile = TensorCoreTile;
  using Base::address_of;
  using Base::Base;
  using Base::count;
  using Base::first_column;
  using Base::lane;
  using Base::meet;
  using Base::raw;
  using Base::shared;
  using Base::synchronize;
  using Base::t;
  using Base::thread;
  using Base::tile_of;
  using Base::warp;

  /// Starts copying a chunk of input channels of a tile's patch, zeros around the image; with the
  /// first also the constants of its output channels.
  __device__ void load(int turn, int chunk) const {
    const Tile& tile = tile_of(turn);
    if (chunk == 0 && thread < tile.channels) {
      copy_16(address_of(&shared().constants[turn % 2][thread]),
              t.channel_constants + tile.channel + thread, true);
    }
    if (t.lines == TensorCoreLines::floats) {
      load_as<1>(tile, chunk);
    } else if constexpr (C::begins_with_words) {
      load_as<4>(tile, chunk);
    } else {
      load_shifted(tile, chunk);
    }
    asm volatile("cp.async.commit_group;\n" ::: "memory");
  }

  __device__ static void copy_4(unsigned to, const void* from, bool exists) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(to), "l"(from),
                 "r"(exists ? 4 : 0)
                 : "memory");
  }

  __device__ static void copy_16(unsigned to, const void* from, bool exists) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from),
                 "r"(exists ? 16 : 0)
                 : "memory");
  }

  template <int Floats>
  __device__ void load_as(const Tile& tile, int chunk) const {
    const int first_line = t.by_words_per_line.quotient(thread);
    const int first_word = thread - first_line * t.words_per_line;
    if (first_line >= t.lines_at_once) return;
    const int first_channel = chunk * t.chunk_channels;
    int channel = t.by_patch_height.quotient(first_line);
    int row = first_line - channel * t.patch_height;
    const int top = tile.row * t.stride_height - t.padding_height;
    const int left = first_column(tile);
    const float* source =
        t.x +
        (static_cast<std::int64_t>(tile.image * t.groups + tile.group) * t.group_in_channels +
         first_channel + channel) *
            t.input_plane +
        static_cast<std::int64_t>(top + row) * t.width + left;
    unsigned target = address_of(raw()) + first_line * t.patch_pitch * 4;
    const int channels_left = min(t.group_in_channels - first_channel, t.chunk_channels);
    if (Floats == 4 && top >= 0 && top + t.patch_height <= t.height && left >= 0 &&
        left + t.patch_pitch <= t.width && channels_left == t.chunk_channels &&
        t.lines_at_once > 1) {
      source += first_word * Floats;
      target += first_word * Floats * 4;
#pragma unroll 4
      for (int step = 0; step < t.load_steps; ++step) {
        if (channel < t.chunk_channels) copy_16(target, source, true);
        row += t.step_rows;
        const bool wraps = row >= t.patch_height;
        row -= wraps ? t.patch_height : 0;
        channel += t.step_channels + wraps;
        source += wraps ? t.step_floats_wrapping : t.step_floats;
        target += t.step_target;
      }
      return;
    }
    const unsigned column = left + first_word * Floats;
    const bool is_column = column < t.width;
    source += first_word * Floats;
    target += first_word * Floats * 4;
#pragma unroll 2
    for (int step = 0; step < t.load_steps; ++step) {
      const bool exists =
          is_column && channel < channels_left && static_cast<unsigned>(top + row) < t.height;
      if (channel < t.chunk_channels) {
        if constexpr (Floats == 4) {
          copy_16(target, exists ? source : t.x, exists);
        } else {
          copy_4(target, exists ? source : t.x, exists);
          for (int word = first_word + C::threads; word < t.words_per_line; word += C::threads) {
            const int further = word - first_word;
            const bool further_exists = channel < channels_left &&
                                        static_cast<unsigned>(top + row) < t.height &&
                                        column + further < t.width;
            copy_4(target + further * 4, further_exists ? source + further : t.x, further_exists);
          }
        }
      }
      row += t.step_rows;
      const bool wraps = row >= t.patch_height;
      row -= wraps ? t.patch_height : 0;
      channel += t.step_channels + wraps;
      source += wraps ? t.step_floats_wrapping : t.step_floats;
      target += t.step_target;
    }
  }

  /// Copies words of 16 bytes, of which a line's first may begin with floats before it; what
  /// follows the end of x is left out.
  __device__ void load_shifted(const Tile& tile, int chunk) const {
    const int first_line = t.by_words_per_line.quotient(thread);
    const int first_word = thread - first_line * t.words_per_line;
    if (first_line >= t.lines_at_once) return;
    const int first_channel = chunk * t.chunk_channels;
    int channel = t.by_patch_height.quotient(first_line);
    int row = first_line - channel * t.patch_height;
    const int top = tile.row * t.stride_height - t.padding_height;
    const int first = first_column(tile) + 4 * first_word;
    const float* source = t.x + first_float(tile, first_channel + channel) +
                          static_cast<std::int64_t>(top + row) * t.width + first;
    unsigned target = address_of(raw()) + (first_line * t.patch_pitch + 4 * first_word) * 4;
    const int channels_left = min(t.group_in_channels - first_channel, t.chunk_channels);
#pragma unroll 2
    for (int step = 0; step < t.load_steps; ++step) {
      const int shift = static_cast<int>(reinterpret_cast<std::uintptr_t>(source) / 4 % 4);
      const float* const word = source - shift;
      const int column = first - shift;
      const bool exists = channel < channels_left && static_cast<unsigned>(top + row) < t.height &&
                          column > -4 && column < t.width;
      if (channel < t.chunk_channels) {
        if (!exists || word + 4 <= t.x_end) {
          copy_16(target, exists ? word : t.x, exists);
        } else {
          for (int i = 0; i < 4; ++i) {
            const bool is_float = word + i < t.x_end;
            copy_4(target + 4 * i, is_float ? word + i : t.x, is_float);
          }
        }
      }
      row += t.step_rows;
      const bool wraps = row >= t.patch_height;
      row -= wraps ? t.patch_height : 0;
      channel += t.step_channels + wraps;
      source += wraps ? t.step_floats_wrapping : t.step_floats;
      target += t.step_target;
    }
  }

  /// Where an input channel of a tile's channel group begins in x.
  __device__ std::int64_t first_float(const Tile& tile, int channel) const {
    return (static_cast<std::int64_t>(tile.image * t.groups + tile.group) * t.group_in_channels +
            channel) *
           t.input_plane;
  }

  __device__ static void await_load() { asm volatile("cp.async.wait_all;\n" ::: "memory"); }

  /// Takes the magnitude of a value into the extremes of a thread.
  __device__ static void extend(unsigned& high, unsigned& low, float value) {
    const unsigned magnitude = __float_as_uint(value) & 0x7fffffffu;
    high = max(high, magnitude);
    low = min(low, magnitude - 1);  // zero, which any scale keeps, becomes the largest
  }

  /// The block's largest magnitude, of a value of each thread. Has a barrier.
  __device__ unsigned largest_of_block(unsigned high) {
    high = __reduce_max_sync(0xffffffffu, high);
    if (lane == 0) shared().largest[warp] = high;
    synchronize();
    for (const unsigned of_warp : shared().largest) high = max(high, of_warp);
    return high;
  }

  /// Whether float16 operands can stand for values of this largest magnitude.
  __device__ static bool is_in_range(unsigned high) {
    return high == 0 ||
           (high >= (127u - tensor_core_range) << 23 && high < (128u + tensor_core_range) << 23);
  }

  __device__ static float power_of_two(int biased_exponent) {
    return __uint_as_float(static_cast<unsigned>(biased_exponent) << 23);
  }

  /// 8 channels of a pixel as float16, scaled: their high halves and what these leave.
  __device__ void put(int pixel, const float (&value)[8], float scale) const {
    put(shared().patch + pixel, t.patch_plane, value, scale);
  }

  /// \param low_halves how many pixels behind the high ones they go
  __device__ static void put(uint4* target, int low_halves, const float (&value)[8], float scale) {
    unsigned high[4], low[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float first = value[2 * i] * scale;
      const float second = value[2 * i + 1] * scale;
      asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(high[i]) : "f"(first), "f"(second));
      if constexpr (C::split) {
        float rounded_first, rounded_second;
        asm("{.reg .f16 a, b;\n mov.b32 {a, b}, %2;\n cvt.f32.f16 %0, a;\n cvt.f32.f16 %1, b;}"
            : "=f"(rounded_first), "=f"(rounded_second)
            : "r"(high[i]));
        asm("cvt.rn.f16x2.f32 %0, %2, %1;"
            : "=r"(low[i])
            : "f"(first - rounded_first), "f"(second - rounded_second));
      }
    }
    target[0] = make_uint4(high[0], high[1], high[2], high[3]);
    if constexpr (C::split) target[low_halves] = make_uint4(low[0], low[1], low[2], low[3]);
  }

  /// Threads that may meet magnitudes too small for the scale before the tile is done in float32.
  static constexpr int tolerated_threads = 16;

  /// Where a chunk's patch lies in its lines, if they do not begin with words.
  struct OwnColumns {
    int begin, end;  ///< what is beside must not decide about the scale
    unsigned shift;  ///< of the first line; modulo 4
  };

  __device__ OwnColumns own_columns(int turn, int chunk) const {
    if constexpr (C::begins_with_words) return {};
    const Tile& tile = tile_of(turn);
    const int left = first_column(tile);
    const std::int64_t first =
        first_float(tile, chunk * t.chunk_channels) +
        static_cast<std::int64_t>(tile.row * t.stride_height - t.padding_height) * t.width + left;
    return {max(0, -left), min(t.patch_width, t.width - left),
            t.lines == TensorCoreLines::shifted_words ? static_cast<unsigned>(first) : 0};
  }

  /// A pixel's values of a block of 8 channels, as they were copied; of lines that do not begin
  /// with words 0 for what is not the tile's own, which `value` must be before. \param word the
  /// pixel's number among those of all blocks
  __device__ void read(const OwnColumns& own, int block, int word, float (&value)[8]) const {
    const float* from = raw() + block * 7 * t.patch_plane + word;
    if constexpr (C::begins_with_words) {
#pragma unroll
      for (int c = 0; c < 8; ++c) value[c] = from[c * t.patch_plane];
    } else {
      const int pixel = word - block * t.patch_plane;
      const int row = t.by_patch_pitch.quotient(pixel);
      const int column = pixel - row * t.patch_pitch;
      const bool is_own = column >= own.begin && column < own.end;
      unsigned shift = own.shift + row * t.shift_of_row + 8 * block * t.shift_of_plane;
#pragma unroll
      for (int c = 0; c < 8; ++c) {
        if (is_own) value[c] = from[shift % 4];
        shift += t.shift_of_plane;
        from += t.patch_plane;
      }
    }
  }

  /// Converts the only chunk, in place. Returns the biased exponent of the largest magnitude.
  __device__ int convert_in_place(int turn, bool& in_float) {
    float value[C::rounds][8];
    unsigned high = 0, low = ~0u;
    const OwnColumns own = own_columns(turn, 0);
#pragma unroll
    for (int i = 0; i < C::rounds; ++i) {
      const int pixel = thread + i * C::threads;
      // Defined on all ways, or they would take registers on all of them.
#pragma unroll
      for (int c = 0; c < 8; ++c) value[i][c] = 0;
      if (pixel < t.patch_plane) {
        read(own, 0, pixel, value[i]);
#pragma unroll
        for (int c = 0; c < 8; ++c) extend(high, low, value[i][c]);
      }
    }
    high = largest_of_block(high);
    const int exponent = high == 0 ? 127 : static_cast<int>(high >> 23);
    const float scale = power_of_two(254 + C::top - exponent);
#pragma unroll
    for (int i = 0; i < C::rounds; ++i) {
      const int pixel = thread + i * C::threads;
      if (pixel < t.patch_plane) put(pixel, value[i], scale);
    }
    end_conversion(high, low, exponent, in_float);
    return exponent;
  }

  __device__ static bool is_imprecise(unsigned low, int exponent) {
    const int limit = exponent + C::least - C::top;
    return limit > 0 && low < static_cast<unsigned>(limit) << 23;
  }

  /// Converts a chunk of several; `exponent` is that of the magnitude the sums so far are scaled
  /// for, 0 before any. Returns by what they must be multiplied.
  __device__ float convert(int turn, int chunk, int& exponent, bool& in_float) {
    const OwnColumns own = own_columns(turn, chunk);
    const auto read_word = [&](int word, float(&value)[8]) {
      read(own, t.by_patch_plane.quotient(word), word, value);
    };
    const int words = t.chunk_channels / 8 * t.patch_plane;
    if constexpr (C::rounds > 0) {
      // All of a thread's share at once, read once.
      if (words <= C::rounds * C::threads) {
        float value[C::rounds][8];
        unsigned high = 0, low = ~0u;
#pragma unroll
        for (int i = 0; i < C::rounds; ++i) {
          const int word = thread + i * C::threads;
#pragma unroll
          for (int c = 0; c < 8; ++c) value[i][c] = 0;
          if (word < words) read_word(word, value[i]);
        }
#pragma unroll
        for (int i = 0; i < C::rounds; ++i) {
#pragma unroll
          for (int c = 0; c < 8; ++c) extend(high, low, value[i][c]);
        }
        high = largest_of_block(high);
        const float rescale = rescale_for(high, exponent);
        const float scale = scale_for(exponent);
#pragma unroll
        for (int i = 0; i < C::rounds; ++i) {
          const int word = thread + i * C::threads;
          if (word < words) put(place_of(word), value[i], scale);
        }
        end_conversion(high, low, exponent, in_float);
        return rescale;
      }
    }
    unsigned high = 0, low = ~0u;
    if constexpr (C::begins_with_words) {
      const auto* const raw_words = reinterpret_cast<const float4*>(raw());
      for (int i = thread; i < 2 * words; i += C::threads) {
        const float4 word = raw_words[i];
        extend(high, low, word.x);
        extend(high, low, word.y);
        extend(high, low, word.z);
        extend(high, low, word.w);
      }
    } else {
      for (int word = thread; word < words; word += C::threads) {
        float value[8] = {};
        read_word(word, value);
#pragma unroll
        for (const float v : value) extend(high, low, v);
      }
    }
    high = largest_of_block(high);
    const float rescale = rescale_for(high, exponent);
    const float scale = scale_for(exponent);
    for (int word = thread; word < words; word += C::threads) {
      float value[8] = {};
      read_word(word, value);
      put(place_of(word), value, scale);
    }
    end_conversion(high, low, exponent, in_float);
    return rescale;
  }

  /// Where its high halves go.
  __device__ int place_of(int word) const {
    return C::split ? word + t.by_patch_plane.quotient(word) * t.patch_plane : word;
  }

  __device__ static float rescale_for(unsigned high, int& exponent) {
    const int found = static_cast<int>(high >> 23);
    float rescale = 1;
    if (found > exponent + 3 || (exponent == 0 && high != 0)) {
      if (exponent != 0) rescale = power_of_two(max(127 + exponent - found, 1));
      exponent = found;
    }
    return rescale;
  }

  __device__ static float scale_for(int exponent) {
    return power_of_two(exponent == 0 ? 127 : 254 + C::top - exponent);
  }

  /// Has a barrier.
  __device__ static void end_conversion(unsigned high, unsigned low, int exponent, bool& in_float) {
    // wgmma reads shared memory by another way than threads write it.
    if constexpr (C::by_warpgroup) asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    const bool imprecise = is_imprecise(low, exponent);
    in_float = count(imprecise) > tolerated_threads || !is_in_range(high) || in_float;
  }
};

}  // namespace fusedconv::detail

#endif
