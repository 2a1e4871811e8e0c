// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_TASK_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_TASK_HPP

#include <cuda_runtime.h>

#include <cstdint>

namespace fusedconv::detail {

/// Pixels of a patch that the unrolled kernel takes at most.
inline constexpr int tensor_core_unrolled_patch = 512;
/// Where it multiplies by warpgroups: output rows, of 64 pixels each, that an instruction takes,
/// and instructions' outputs that are a tile, one below the other or side by side.
inline constexpr int tensor_core_unrolled_rows = 2;
inline constexpr int tensor_core_unrolled_columns = 64;
inline constexpr int tensor_core_unrolled_products = 2;
/// Pixels of a patch's row beside those that its tile is wide: the kernel's, and those of the words
/// of 16 bytes that it begins and ends with.
inline constexpr int tensor_core_unrolled_margin = 8;

/// Floats of a sector of memory. Blocks of a pass do not keep together: sectors that two of them
/// write parts of would be read and written in between.
inline constexpr int tensor_core_sector = 8;

/// Pairs that the kernel of warpgroups multiplies before it waits, and output pixels side by side
/// in a row that it takes at once.
inline constexpr int tensor_core_warpgroup_pairs = 3;
inline constexpr int tensor_core_warpgroup_strip = 32;
/// Pairs of a chunk that it takes at most.
inline constexpr int tensor_core_warpgroup_max_pairs = 126;

/// Exponents of the largest magnitudes that are scaled to float16, on both sides of 2^0.
inline constexpr unsigned tensor_core_range = 45;

/// Sums of activations, which lie in [0, 1], and of their squares are kept as integers: the upper
/// word in units of 2^-20, the lower in units of 2^-52. Bits 52 to 62 of each count arrivals; bit
/// 63 of the first says that a sum was not a number.
inline constexpr double tensor_core_fixed_point = 1 << 20;
inline constexpr double tensor_core_fixed_point_low = 4294967296.0;
inline constexpr unsigned long long tensor_core_arrival = 1ull << 52;
inline constexpr unsigned long long tensor_core_arrival_mask = 0x7ffull << 52;
inline constexpr unsigned long long tensor_core_not_a_number = 1ull << 63;
inline constexpr int tensor_core_statistics_words = 4;

/// Division by an int that many threads divide by.
struct FastDivision {
  FastDivision() = default;
  explicit FastDivision(int d) : divisor(d), magic(d == 1 ? 0 : (0x100000000ull + d - 1) / d) {}

#ifdef __CUDACC__
  /// Exact while dividend x divisor < 2^32.
  __device__ int quotient(int dividend) const {
    return divisor == 1 ? dividend : static_cast<int>(__umulhi(dividend, magic));
  }

  /// Exact for all dividends: the quotient, which replaces the dividend. Returns the remainder.
  __device__ int divide(int& dividend) const {
    int q = quotient(dividend);
    int remainder = dividend - q * divisor;
    if (remainder < 0) {
      --q;
      remainder += divisor;
    }
    dividend = q;
    return remainder;
  }
#endif

  int divisor = 1;
  unsigned magic = 0;
};

/// Where a block works: an image, a range of output channels in a channel group, output rows and
/// columns.
struct TensorCoreTile {
  int image;
  int group;
  int channel;  ///< first, of all
  int m_tile;   ///< of the first channel, in the packed weights
  int channels;
  int row;
  int column;
  int rows;
  int columns;
};

/// How lines of a patch are copied to shared memory: rows of an input channel each.
enum class TensorCoreLines {
  words,          ///< of 16 bytes, with which they begin
  shifted_words,  ///< from the word on in which they begin, so that what they begin with is shifted
  floats          ///< one by one, where x does not begin with a word or lines are long
};

/// What the tensor cores' kernel is to do, as it is handed over.
struct TensorCoreTask {
  const float* x;
  const float* x_end;
  float* y;
  const uint4* weights;             ///< fragments, see TensorCoreWeights
  const float* float_weights;       ///< conv.weight
  const float4* channel_constants;  ///< factor with and without the weights' scale, offset
  const int* all_in_float;          ///< not 0 where no tile may be computed from float16
  const float* group_norm_weight;
  const float* group_norm_bias;
  unsigned long long* statistics;  ///< (image, group, tensor_core_statistics_words)
  unsigned* tiles_taken;           ///< how many blocks have taken when they were ready for another
  unsigned long long arrival;      ///< what an arrival counts; 0 where nobody waits for them
  double inverse_elements;         ///< 1 / (elements of a group x tensor_core_fixed_point)
  double eps;
  std::int64_t tiles;
  std::int64_t strips;     ///< of tiles one below the other, which a pass's blocks take
  bool publishes;          ///< adds to the statistics
  bool normalizes;         ///< writes y
  bool begins_with_words;  ///< lines of a patch: where words of 16 bytes of the input begin
  bool copies_in_bulk;     ///< in a pass: whether its input comes by a tensor map
  TensorCoreLines lines;
  int store_floats;

  std::int64_t input_plane;  ///< floats from an input channel to the next

  int groups, group_in_channels, group_out_channels, out_channels;
  int height;  ///< input rows, without those at the end that no output needs
  int width, output_height, output_width;
  int kernel_height, kernel_width, stride_height, stride_width;
  int padding_height, padding_width, dilation_height, dilation_width;
  int norm_groups, channels_per_norm_group;
  int tile_height, tile_width, tiles_down, tiles_across;
  int strip_rows, strip_columns;              ///< of a pass
  int image_output_height, first_output_row;  ///< where a block of rows lies
  int channel_tiles, channel_tiles_per_group;
  int chunk_channels, chunks, pairs, pairs_of_group;
  int patch_height, patch_width, patch_pitch, patch_plane;
  int patch_bytes, words_per_line;
  int first_place;  ///< pixel of the patch that a tile's first output begins with, for warpgroups
  int strip_step;   ///< pixels of the patch from a strip of a tile to the next
  /// Of a chunk, for warpgroups: pixels of the patch to a pair's first part and, times 2^16, from
  /// there to its second.
  unsigned pair_places[tensor_core_warpgroup_max_pairs];
  int lines_at_once, step_channels, step_rows;  ///< lines: a row of an input channel each
  int load_steps, step_target;
  int shift_of_row, shift_of_plane;  ///< by which shifts grow from a line or channel to the next
  std::int64_t step_floats, step_floats_wrapping;
  FastDivision by_tile_width, by_words_per_line, by_patch_height, by_patch_pitch, by_patch_plane;
  FastDivision by_channels_per_norm_group, by_channel_tiles, by_channel_tiles_per_group;
  FastDivision by_tiles_down, by_tiles_across;
  FastDivision by_strips_down, by_strips_across;
};

}  // namespace fusedconv::detail

#endif
