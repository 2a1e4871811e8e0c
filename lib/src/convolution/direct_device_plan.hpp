// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_PLAN_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_PLAN_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <fusedconv/options.hpp>
#include <string>

#include "../moments.hpp"
#include "first_pass.hpp"

namespace fusedconv::detail {

/// How the device's direct convolution cuts its work.
///
/// A team computes a tile of output rows and columns for up to channel_lanes x channel_block output
/// channels of one channel group. Its threads are channel_lanes x row_lanes x column_lanes; each
/// keeps channel_block channels x 2 rows x 4 columns in registers. The rows of a thread are
/// neighbours, so that they share input; its columns are column_lanes apart, so that loads and
/// stores of neighbouring threads are neighbours.
///
/// Plain int where Shape::validate() bounds a value: a multiprocessor's registers are what limits
/// the number of teams on it.
struct DirectDevicePlan {
  static constexpr Algorithm algorithm = Algorithm::direct;
  static constexpr int team_size = 128;
  static constexpr int channel_block = 8;
  static constexpr int rows = 2;
  static constexpr int columns = 4;
  static constexpr int max_channel_lanes = 4;
  static constexpr int max_column_lanes = 32;

  /// Where the inner loop finds its input.
  enum class Source {
    unrolled,  ///< scratch memory; square kernel known to the compiler, unit stride and dilation
    staged,    ///< scratch memory; any kernel whose patch fits
    global     ///< the input itself
  };

  explicit DirectDevicePlan(const Shape& shape);

  /// Output channels whose weights are packed together: those of a team.
  std::int64_t weight_block() const { return std::int64_t{channel_lanes()} * channel_block; }
  KOKKOS_FUNCTION int channel_lanes() const { return 1 << channel_lanes_log2; }
  KOKKOS_FUNCTION int column_lanes() const { return 1 << column_lanes_log2; }
  KOKKOS_FUNCTION int pixel_lanes() const { return team_size >> channel_lanes_log2; }
  /// Whether tiles have as many channels and columns as any.
  bool has_largest_tiles() const {
    return channel_lanes() == max_channel_lanes && column_lanes() == max_column_lanes;
  }
  int row_lanes() const { return pixel_lanes() / column_lanes(); }
  std::int64_t staged_floats(std::int64_t channels) const;
  std::int64_t moments_bytes() const;
  std::string description() const;

  Geometry geometry;
  TileGrid tiles;
  Source source = Source::unrolled;
  int channel_lanes_log2 = 0;
  int column_lanes_log2 = 0;
  std::int64_t patch_height = 0;
  std::int64_t patch_width = 0;
  std::int64_t in_channels_staged = 0;  ///< input channels in scratch memory at a time
  std::int64_t scratch_bytes = 0;
};

inline DirectDevicePlan::DirectDevicePlan(const Shape& shape) : geometry(shape) {
  const Geometry& g = geometry;
  // Leaves room for several teams on a multiprocessor, inside the 48 KiB that every device has.
  constexpr std::int64_t staging_budget = 32 * 1024 / sizeof(float);
  constexpr std::int64_t staging_limit = 44 * 1024 / sizeof(float);
  constexpr int min_column_lanes_log2 = 2;

  while (channel_lanes() < max_channel_lanes && weight_block() < g.group_out_channels) {
    ++channel_lanes_log2;
  }
  column_lanes_log2 = min_column_lanes_log2;
  while (column_lanes() < max_column_lanes &&
         std::int64_t{column_lanes()} * columns < g.output_width) {
    ++column_lanes_log2;
  }
  tiles = {g.output_height, g.output_width, std::int64_t{row_lanes()} * rows,
           std::int64_t{column_lanes()} * columns};
  patch_height =
      (tiles.tile_height - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1;
  patch_width =
      (tiles.tile_width - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width + 1;

  const bool unit = g.stride_height == 1 && g.stride_width == 1 && g.dilation_height == 1 &&
                    g.dilation_width == 1;
  const bool common =
      g.kernel_height == g.kernel_width && g.kernel_width <= 7 && g.kernel_width % 2 == 1;
  source = unit && common ? Source::unrolled : Source::staged;
  if (staged_floats(1) > staging_limit) source = Source::staged;
  if (staged_floats(1) > staging_limit) source = Source::global;
  in_channels_staged =
      std::clamp<std::int64_t>(staging_budget / staged_floats(1), 1, g.group_in_channels);
  const std::int64_t staged_bytes =
      source == Source::global
          ? 0
          : staged_floats(in_channels_staged) * static_cast<std::int64_t>(sizeof(float));
  scratch_bytes = std::max(staged_bytes, moments_bytes());
}

inline std::int64_t DirectDevicePlan::staged_floats(std::int64_t channels) const {
  const std::int64_t weights = source == Source::unrolled
                                   ? weight_block() * geometry.kernel_height * geometry.kernel_width
                                   : 0;
  return channels * (patch_height * patch_width + weights);
}

inline std::string DirectDevicePlan::description() const {
  return "direct, tiles of " + std::to_string(tiles.tile_height) + " rows x " +
         std::to_string(tiles.tile_width) + " columns x " + std::to_string(weight_block()) +
         " channels, input from " +
         (source == Source::unrolled ? "scratch memory, unrolled kernel"
          : source == Source::staged ? "scratch memory"
                                     : "global memory");
}

inline std::int64_t DirectDevicePlan::moments_bytes() const {
  return static_cast<std::int64_t>(team_size * sizeof(Moments) +
                                   pixel_lanes() * (3 * (weight_block() + 1) + 1) * sizeof(float));
}

}  // namespace fusedconv::detail

#endif
