// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_PLAN_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_PLAN_HPP

#include <algorithm>
#include <cstdint>
#include <fusedconv/options.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "../float_vector.hpp"
#include "../moments.hpp"
#include "first_pass.hpp"
#include "host_patch.hpp"
#include "winograd.hpp"

namespace fusedconv::detail {

/// How the host's convolution cuts its work; README.md in this folder has the picture.
///
/// An item is a tile of output rows and columns of one image for some output channels. Its input is
/// first copied to a patch that stays in the second-level cache.
struct DirectHostPlan {
  /// Output channels that share each load of the input; they and `vectors` accumulators each fill
  /// 12 of 16 registers, or 24 of 32.
#if defined(__AVX512F__) || defined(__aarch64__)
  static constexpr int channel_block = 8;
#else
  static constexpr int channel_block = 4;
#endif
  static constexpr int vectors = HostPatch::max_vectors;

  /// \param algorithm Algorithm::direct or, where winograd_applies(shape), Algorithm::winograd
  DirectHostPlan(const Shape& shape, Algorithm algorithm);

  bool winograd() const { return algorithm == Algorithm::winograd; }

  std::int64_t row_buffer_floats() const {
    return std::max(direct.step_rows(), transformed.step_rows()) * channel_block *
           tile_columns_padded;
  }
  std::int64_t patch_floats() const { return std::max(direct.floats(), transformed.floats()); }
  std::int64_t workspace_floats() const {
    return std::max(direct.workspace_floats(), transformed.workspace_floats());
  }
  std::int64_t scratch_bytes() const {
    return (patch_floats() + workspace_floats() + row_buffer_floats() + vector_length) *
               static_cast<std::int64_t>(sizeof(float)) +
           64;
  }
  std::string description() const;

  Algorithm algorithm;
  Geometry geometry;
  TileGrid tiles;
  std::int64_t tile_columns_padded;  ///< tile width in whole vectors
  std::int64_t channels_summed;      ///< input channels whose products are summed in registers
  std::int64_t channel_alignment;    ///< items begin at multiples of it, where a block does
  /// Output channels, whole groups of the normalisation, that are normalised once they are
  /// convolved: as many as fit a cache, if one group does.
  std::int64_t channels_per_set;

  HostPatch direct;
  HostPatch transformed;  ///< if winograd()
};

inline DirectHostPlan::DirectHostPlan(const Shape& shape, Algorithm convolution)
    : algorithm(convolution), geometry(shape) {
  Geometry& g = geometry;
  constexpr std::int64_t strip_columns = vectors * vector_length;
  constexpr std::int64_t max_tile_columns = 960;
  constexpr std::int64_t max_tile_rows = 8;
  // Half of a small second-level cache; where there is AVX-512 they are of 1 MiB and more.
  constexpr std::int64_t patch_budget = (vector_bytes == 64 ? 512 : 256) * 1024;
  constexpr std::int64_t set_budget = 4352 * 1024;  // two of them share a third-level cache
  constexpr std::int64_t min_set_channels = 32;     // each set makes patches of its own
  // Rounding errors grow with the length of a sum: long ones are taken in parts.
  constexpr std::int64_t max_taps_summed = 256;

  channels_summed = std::max<std::int64_t>(1, max_taps_summed / (g.kernel_height * g.kernel_width));

  channel_alignment = g.groups == 1 || g.group_out_channels % channel_block == 0
                          ? channel_block
                          : g.group_out_channels;
  const std::int64_t smallest_set = std::lcm(shape.channels_per_norm_group(), channel_alignment);
  channels_per_set = g.out_channels;
  if (g.out_channels % smallest_set == 0) {
    const std::int64_t plane_bytes =
        g.output_height * g.output_width * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t sets = g.out_channels / smallest_set;
    channels_per_set = smallest_set;
    for (std::int64_t multiple = 2; multiple <= sets; ++multiple) {
      const std::int64_t channels = multiple * smallest_set;
      if (sets % multiple == 0 &&
          (channels_per_set < min_set_channels || channels * plane_bytes <= set_budget)) {
        channels_per_set = channels;
      }
    }
  }

  const auto lay_out = [&](std::int64_t rows) {
    tiles.tile_height = rows;
    tile_columns_padded = (tiles.tile_width + vector_length - 1) / vector_length * vector_length;
    direct = HostPatch(g, HostPatch::Rows::plain, rows, tile_columns_padded);
    if (winograd()) {
      transformed = HostPatch(g, HostPatch::Rows::winograd, rows, tile_columns_padded);
    }
  };
  const auto fits = [&](std::int64_t budget) {
    return patch_floats() * static_cast<std::int64_t>(sizeof(float)) <= budget;
  };

  // Short rows that stand by themselves are put side by side, in tiles of whole ones, so that
  // blocks of rows may begin with each.
  if (g.is_pointwise() && g.width <= max_tile_columns) {
    constexpr std::int64_t whole_rows_budget = patch_budget + patch_budget / 8;
    const Geometry image = g;
    const std::int64_t max_rows = max_tile_columns / g.width;
    const std::int64_t tiles_down = (g.height + max_rows - 1) / max_rows;
    std::int64_t rows = (g.height + tiles_down - 1) / tiles_down;
    g.flatten();
    tiles.height = 1;
    tiles.width = g.output_width;
    do {
      tiles.tile_width = rows * image.width;
      lay_out(1);
    } while (!fits(whole_rows_budget) && --rows > 0);
    if (rows > 0) return;
    g = image;
  }

  tiles.height = g.output_height;
  tiles.width = g.output_width;
  const std::int64_t tiles_across = (g.output_width + max_tile_columns - 1) / max_tile_columns;
  tiles.tile_width = (g.output_width + tiles_across - 1) / tiles_across;
  if (tiles_across > 1) {
    tiles.tile_width = (tiles.tile_width + strip_columns - 1) / strip_columns * strip_columns;
  }
  // The smallest tile there is, one step of rows, says what a row costs.
  const std::int64_t step = winograd() ? winograd_outputs : 1;
  lay_out(step);
  while (!fits(patch_budget) && tiles.tile_width > strip_columns) {
    tiles.tile_width =
        ((tiles.tile_width + 1) / 2 + strip_columns - 1) / strip_columns * strip_columns;
    lay_out(step);
  }
  std::int64_t rows = step;
  while (fits(patch_budget) && rows + step <= max_tile_rows && rows < g.output_height)
    lay_out(rows += step);
  if (!fits(patch_budget) && rows > step) lay_out(rows - step);
}

inline std::string DirectHostPlan::description() const {
  return std::string(winograd() ? "Winograd F(2,3) on rows" : "direct") + ", tiles of " +
         std::to_string(tiles.tile_height) + " rows x " + std::to_string(tiles.tile_width) +
         " columns, " + std::to_string(channel_block) + " channels x " +
         std::to_string(vectors * vector_length) + " pixels in registers, " +
         std::to_string(channels_per_set) + " channels normalised at a time";
}

}  // namespace fusedconv::detail

#endif
