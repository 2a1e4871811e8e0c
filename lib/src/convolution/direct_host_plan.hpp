// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_PLAN_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_PLAN_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "../moments.hpp"
#include "first_pass.hpp"

namespace fusedconv::detail {

/// A vector register of the target, as GCC's and Clang's vector extension spells it.
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif
using FloatVector = float __attribute__((vector_size(vector_bytes), aligned(4), may_alias));
inline constexpr int vector_length = vector_bytes / static_cast<int>(sizeof(float));

/// How the host's direct convolution cuts its work, and the addresses that follow from it.
///
/// An item is a tile of output rows and columns of one image for some output channels of one
/// channel group. Its input is first copied to a patch: padded with zeros and, where columns are
/// strided, split by phase, so that every tap of the kernel reads consecutive floats and the inner
/// loop knows neither padding nor stride. Rows and columns of the patch are slots: the offset of
/// the input row or column that a slot starts at.
struct DirectHostPlan {
  /// Output channels that share each load of the input; they and `vectors` accumulators each fill
  /// 12 of 16 registers, or 24 of 32.
#if defined(__AVX512F__) || defined(__aarch64__)
  static constexpr int channel_block = 8;
#else
  static constexpr int channel_block = 4;
#endif
  static constexpr int vectors = 3;

  explicit DirectHostPlan(const Shape& shape);

  /// Output channels whose weights are packed together.
  std::int64_t weight_block() const { return channel_block; }

  std::int64_t patch_floats() const { return geometry.group_in_channels * channel_pitch; }
  std::int64_t row_buffer_floats() const { return channel_block * tile_columns_padded; }
  std::int64_t scratch_bytes() const {
    return (patch_floats() + row_buffer_floats() + vector_length) *
               static_cast<std::int64_t>(sizeof(float)) +
           64;
  }
  std::string description() const;

  Geometry geometry;
  TileGrid tiles;
  std::int64_t tile_columns_padded;  ///< tile width in whole vectors
  std::int64_t channels_per_item;    ///< output channels of an item, whole channel blocks
  std::int64_t channels_summed;      ///< input channels whose products are summed in registers

  std::vector<std::int64_t> row_slots;      ///< input row of each patch row, from the tile's first
  std::vector<std::int64_t> column_slots;   ///< input column of each slot's start, likewise
  std::vector<std::int64_t> row_offset;     ///< (tile row, kernel row) -> floats from the channel
  std::vector<std::int64_t> column_offset;  ///< kernel column -> floats from the patch row
  std::int64_t slot_length;                 ///< floats of a column slot
  std::int64_t row_pitch;
  std::int64_t channel_pitch;
};

inline DirectHostPlan::DirectHostPlan(const Shape& shape) : geometry(shape) {
  const Geometry& g = geometry;
  const auto round_up = [](std::int64_t value, std::int64_t unit) {
    return (value + unit - 1) / unit * unit;
  };
  constexpr std::int64_t max_tile_columns = 512;
  constexpr std::int64_t max_tile_rows = 8;
  constexpr std::int64_t patch_budget = 256 * 1024;  // half of a small second-level cache
  constexpr std::int64_t max_channels_per_item = 32;
  // Rounding errors grow with the length of a sum: long ones are taken in parts.
  constexpr std::int64_t max_taps_summed = 256;

  channels_per_item =
      std::min<std::int64_t>(max_channels_per_item, round_up(g.group_out_channels, channel_block));
  channels_summed = std::max<std::int64_t>(1, max_taps_summed / (g.kernel_height * g.kernel_width));
  tiles.height = g.output_height;
  tiles.width = g.output_width;
  tiles.tile_width = std::min(max_tile_columns, g.output_width);

  // The smallest tile there is, one row, says what a row costs.
  const auto lay_out = [&](std::int64_t rows) {
    tiles.tile_height = rows;
    tile_columns_padded = round_up(tiles.tile_width, vector_length);

    row_slots.clear();
    row_offset.assign(rows * g.kernel_height, 0);
    const std::int64_t reach =
        (rows - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1;
    const bool dense_rows = reach <= rows * g.kernel_height;
    if (dense_rows) {
      for (std::int64_t i = 0; i < reach; ++i) row_slots.push_back(i);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t kh = 0; kh < g.kernel_height; ++kh) {
        const std::int64_t input_row = r * g.stride_height + kh * g.dilation_height;
        row_offset[r * g.kernel_height + kh] =
            dense_rows ? input_row : static_cast<std::int64_t>(row_slots.size());
        if (!dense_rows) row_slots.push_back(input_row);
      }
    }

    // Columns of one phase, input column modulo stride, share a slot unless dilation spreads them
    // so far that a slot for each kernel column is shorter.
    column_slots.clear();
    column_offset.assign(g.kernel_width, 0);
    const std::int64_t largest_shift = (g.kernel_width - 1) * g.dilation_width / g.stride_width;
    const bool by_phase = largest_shift <= tile_columns_padded;
    slot_length = tile_columns_padded + (by_phase ? largest_shift : 0);
    for (std::int64_t kw = 0; kw < g.kernel_width; ++kw) {
      const std::int64_t column = kw * g.dilation_width;
      const std::int64_t start = by_phase ? column % g.stride_width : column;
      const auto slot = std::find(column_slots.begin(), column_slots.end(), start);
      column_offset[kw] =
          (slot - column_slots.begin()) * slot_length + (by_phase ? column / g.stride_width : 0);
      if (slot == column_slots.end()) column_slots.push_back(start);
    }
    row_pitch = static_cast<std::int64_t>(column_slots.size()) * slot_length;
    for (std::int64_t& offset : row_offset) offset *= row_pitch;
    channel_pitch = static_cast<std::int64_t>(row_slots.size()) * row_pitch;
  };
  const auto fits = [&] {
    return patch_floats() * static_cast<std::int64_t>(sizeof(float)) <= patch_budget;
  };

  lay_out(1);
  while (!fits() && tiles.tile_width > vectors * vector_length) {
    tiles.tile_width = round_up((tiles.tile_width + 1) / 2, vector_length);
    lay_out(1);
  }
  std::int64_t rows = 1;
  while (fits() && rows < std::min(max_tile_rows, g.output_height)) lay_out(++rows);
  if (!fits() && rows > 1) lay_out(rows - 1);
}

inline std::string DirectHostPlan::description() const {
  return "direct, tiles of " + std::to_string(tiles.tile_height) + " rows x " +
         std::to_string(tiles.tile_width) + " columns, " + std::to_string(channel_block) +
         " channels x " + std::to_string(vectors * vector_length) + " pixels in registers";
}

}  // namespace fusedconv::detail

#endif
