// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PLAN_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PLAN_HPP

#include <algorithm>
#include <cstdint>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>
#include <limits>
#include <string>

#include "../moments.hpp"
#include "first_pass.hpp"
#include "tensor_core_task.hpp"

namespace fusedconv::detail {

/// Bytes of a block's shared memory up to its input: the size of TensorCoreShared, which the launch
/// asserts.
constexpr std::int64_t tensor_core_fixed_bytes(std::int64_t channels, std::int64_t pixels,
                                               std::int64_t warps, std::int64_t warps_n) {
  const std::int64_t activations = channels * (pixels + 8) * 4;
  const std::int64_t sums = 2 * warps_n * channels * 16;
  const std::int64_t normalization_kept_constants = (2 + 1 + 2) * channels * 16;
  const std::int64_t tiles_and_largest = 4 * 36 + 4 * warps;
  return activations + sums + normalization_kept_constants + tiles_and_largest;
}

/// How the tensor cores' kernel cuts its work.
///
/// A block computes a tile of output rows and columns for 32, 64 or 128 output channels of one
/// channel group: 4 warps 32 channels x 64 pixels each, 8 warps 32 x 32, or each 4 warps together
/// 64 x 128. Input channels are taken in chunks of chunk_channels, a multiple of 8; each (8 input
/// channels, tap) is half a step of the matrix units.
struct TensorCorePlan {
  static constexpr Algorithm algorithm = Algorithm::tensor_core;
  static constexpr std::int64_t warp_channels = 32;
  static constexpr std::int64_t warp_pixels_of_unrolled = 64;
  static constexpr std::int64_t warpgroup_channels = 64;
  static constexpr std::int64_t block_pixels_of_warpgroup = 128;

  /// An image of more tiles is taken in two passes, whatever the GPU: their last bits differ.
  static constexpr std::int64_t most_tiles_of_one_pass = 512;
  /// Sums of statistics have room for as many in one word.
  static constexpr std::int64_t most_tiles_in_flight = 2047;
  /// Tiles of a strip at most. Long strips convert little twice; the second pass is faster in
  /// shorter ones, 1.78 for 1.84 ms for a large image, presumably since it writes rows of y that
  /// are closer together.
  static constexpr std::int64_t max_strip_tiles(bool normalizes) { return normalizes ? 8 : 16; }

  /// Whether rows of the image begin with words of 16 bytes.
  bool begins_with_words() const { return geometry.width % 4 == 0; }
  bool unrolled_by_warpgroup() const { return unrolled && warpgroups > 0; }
  std::int64_t threads() const { return 32 * warps; }
  std::int64_t block_threads() const { return threads() + (unrolled && warpgroups == 0 ? 32 : 0); }

  /// \param has_wgmma whether the kernel of warpgroups can be run
  TensorCorePlan(const Shape& shape, Precision precision, bool has_wgmma);

  std::int64_t block_channels() const {
    return warpgroups > 0 && !unrolled ? warpgroups * warpgroup_channels : warps_m * warp_channels;
  }
  std::int64_t block_pixels() const {
    return warpgroups > 0 && !unrolled ? block_pixels_of_warpgroup
                                       : warps / warps_m * (256 / warps);
  }
  /// Output rows, and of them 8 channels each, of the 16 rows of a matrix of weights; 1: 16 of one.
  std::int64_t output_rows() const {
    return unrolled_by_warpgroup() ? tensor_core_unrolled_rows : 1;
  }
  /// Matrices of weights, of 16 rows, that a block's output channels are.
  std::int64_t m_tiles() const { return block_channels() * output_rows() / 16; }
  std::int64_t taps() const { return geometry.kernel_height * geometry.kernel_width; }
  std::int64_t chunks() const {
    return (geometry.group_in_channels + chunk_channels - 1) / chunk_channels;
  }
  /// Steps of a chunk: pairs of (8 input channels, tap).
  std::int64_t pairs() const {
    const std::int64_t entries = taps() + (output_rows() - 1) * geometry.kernel_width;
    const std::int64_t pairs = (chunk_channels / 8 * entries + 1) / 2;
    constexpr std::int64_t at_once = tensor_core_warpgroup_pairs;
    return warpgroups > 0 && !unrolled ? (pairs + at_once - 1) / at_once * at_once : pairs;
  }
  std::int64_t channel_tiles_per_group() const {
    return (geometry.group_out_channels + block_channels() - 1) / block_channels();
  }
  std::int64_t tiles_per_image() const {
    return tiles.size() * geometry.groups * channel_tiles_per_group();
  }
  /// Whether the tiles of an image are all in flight at once, so that their blocks can wait for its
  /// statistics. \param resident_blocks that the device runs at once
  bool is_one_pass(std::int64_t resident_blocks) const {
    return !in_passes && tiles_per_image() <= std::min(resident_blocks, most_tiles_in_flight);
  }
  std::int64_t patch_plane() const { return patch_height * patch_pitch; }
  std::int64_t patch_bytes() const {
    return chunk_channels * patch_plane() * (precision == Precision::fp32 ? 4 : 2);
  }
  std::int64_t raw_bytes() const { return chunk_channels * patch_plane() * 4; }
  std::int64_t shared_bytes() const;
  std::string description() const;

  Geometry geometry;
  Precision precision;
  TileGrid tiles;
  std::int64_t warps = 4;    ///< that compute
  std::int64_t warps_m = 1;  ///< side by side over the output channels
  std::int64_t chunk_channels = 8;
  std::int64_t patch_height = 0;
  std::int64_t patch_width = 0;
  std::int64_t patch_pitch = 0;  ///< floats from a line of a patch to the next
  bool unrolled = false;         ///< 3 x 3, at most 8 input channels: the kernel made for it
  bool in_passes = false;        ///< by the kernels made for two passes over large images
  /// In the kernel of wgmma: 4 warps, 64 channels x 128 pixels each; 0 in the others.
  std::int64_t warpgroups = 0;

 private:
  /// Leaves room for 2 blocks of the float32-accurate kernel, or of two warpgroups, on a
  /// multiprocessor of 227 KiB, and for 3 of the others, which have fewer registers.
  std::int64_t shared_budget() const {
    return (precision == Precision::fp32 || warpgroups == 2 ? 108 : 74) * 1024;
  }
  std::int64_t warpgroups_that_pay() const;
  std::int64_t warpgroup_tile_width() const {
    return geometry.flattened_width > 0 ? block_pixels_of_warpgroup : tensor_core_warpgroup_strip;
  }
  void choose_chunk();
  void cut();
  void set_tile(std::int64_t height, std::int64_t width);
};

inline TensorCorePlan::TensorCorePlan(const Shape& shape, Precision p, bool has_wgmma)
    : geometry(shape), precision(p) {
  Geometry& g = geometry;
  // A 1 x 1 kernel that steps over nothing does not mind where rows end. Long rows lose little by
  // it, and tiles that end with them let blocks of rows be small.
  constexpr std::int64_t max_flattened_width = 4096;
  if (g.is_pointwise() && g.width <= max_flattened_width && g.width * g.height < 1 << 30) {
    g.flatten();
  }
  const bool dense = g.dilation_height == 1 && g.dilation_width == 1;
  unrolled = g.kernel_height == 3 && g.kernel_width == 3 && dense && g.group_in_channels <= 8 &&
             g.group_out_channels <= warp_channels && g.stride_height == 1 && g.stride_width == 1 &&
             g.output_width >= warp_pixels_of_unrolled;
  // Many output channels a block spare the conversion of the same input for others; with a kernel
  // to convolve it is worth less than tiles with room for its rows.
  if (g.group_out_channels > 2 * warp_channels && taps() == 1) {
    warps = 8;
    warps_m = 4;
  } else {
    warps_m = g.group_out_channels <= warp_channels ? 1 : 2;
  }
  const std::int64_t warps_without = warps;
  if (has_wgmma) warpgroups = warpgroups_that_pay();
  if (warpgroups > 0) warps = 4 * warpgroups;
  choose_chunk();
  if (warpgroups > 0 && shared_bytes() > shared_budget()) {
    warpgroups = 0;
    warps = warps_without;
    choose_chunk();
  }
}

/// Their tiles are 4 strips of 32 columns, one below the other, of which an output must fill most;
/// or side by side, where planes were made one row. Without a kernel to convolve only two of them
/// that share a patch save anything.
inline std::int64_t TensorCorePlan::warpgroups_that_pay() const {
  const Geometry& g = geometry;
  if (unrolled) return 1;
  const std::int64_t width = warpgroup_tile_width();
  const std::int64_t across = (g.output_width + width - 1) / width;
  if (g.group_out_channels <= warp_channels || g.group_in_channels < 16 || g.stride_width != 1 ||
      5 * g.output_width < 4 * across * width ||
      g.output_height < block_pixels_of_warpgroup / width ||
      taps() > 2 * tensor_core_warpgroup_max_pairs) {
    return 0;
  }
  const bool takes_two = precision == Precision::tf32 && g.group_out_channels > warpgroup_channels;
  return takes_two ? 2 : taps() > 1 ? 1 : 0;
}

/// The most input channels at a time for which blocks share a multiprocessor, else 8.
inline void TensorCorePlan::choose_chunk() {
  const std::int64_t blocks = (geometry.group_in_channels + 7) / 8;
  for (std::int64_t at_once : {8, 4, 2, 1}) {
    chunk_channels = 8 * at_once;
    if (warpgroups > 0 && pairs() > tensor_core_warpgroup_max_pairs) continue;
    if (at_once > blocks || (unrolled && at_once > 1)) continue;
    cut();
    if (shared_bytes() <= shared_budget()) break;
  }
}

/// The tile with the least work: products of all its pixels, outputs or not, and the conversion of
/// its patch. Of the unrolled kernel of warpgroups the wider one where it takes no more tiles: ends
/// of rows in other tiles cost its writes more than conversion does.
inline void TensorCorePlan::cut() {
  const Geometry& g = geometry;
  // Tiles of planes that were made rows load no pixel beside them: it may be of a row that a block
  // of rows does not have.
  const std::int64_t words = g.output_width % 4 == 0 || g.flattened_width > 0 ? 4
                             : g.output_width % 2 == 0                        ? 2
                                                                              : 1;
  const auto fits = [&](std::int64_t width) {
    if (unrolled_by_warpgroup()) return width % tensor_core_unrolled_columns == 0;
    if (unrolled) return width == warp_pixels_of_unrolled;
    if (warpgroups > 0) return width == warpgroup_tile_width();
    return width == g.output_width || (width % words == 0 && width >= 16);
  };
  const std::int64_t widest = unrolled_by_warpgroup()
                                  ? tensor_core_unrolled_products * tensor_core_unrolled_columns
                              : warpgroups > 0 ? warpgroup_tile_width()
                                               : std::min(g.output_width, block_pixels());
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t best_height = 1, best_width = 1;
  for (std::int64_t width = 1; width <= widest; ++width) {
    if (!fits(width)) continue;
    const std::int64_t rows = block_pixels() / width;
    const std::int64_t height = unrolled_by_warpgroup() ? rows : std::min(rows, g.output_height);
    set_tile(height, width);
    const std::int64_t work =
        unrolled_by_warpgroup()
            ? tiles.size()
            : tiles.size() * (block_pixels() * taps() * warps_m + 2 * patch_plane());
    if (work <= least) {
      least = work;
      best_height = height;
      best_width = width;
    }
  }
  // Their kernels know the widest tile alone, which few tiles more are worth.
  in_passes = false;
  if (unrolled_by_warpgroup()) {
    set_tile(block_pixels() / widest, widest);
    in_passes = tiles_per_image() > most_tiles_of_one_pass && 4 * tiles.size() <= 5 * least;
  }
  if (!in_passes) set_tile(best_height, best_width);
}

inline void TensorCorePlan::set_tile(std::int64_t height, std::int64_t width) {
  const Geometry& g = geometry;
  tiles = {g.output_height, g.output_width, height, width};
  patch_height = (height - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1;
  patch_width = (width - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width + 1;
  // Lines are copied in words of 4 floats, with the first of which they may begin with its last.
  const bool begins_with_word =
      begins_with_words() && (width * g.stride_width) % 4 == 0 && g.padding_width % 4 == 0;
  patch_pitch = unrolled_by_warpgroup() ? width + tensor_core_unrolled_margin
                                        : (patch_width + (begins_with_word ? 3 : 6)) / 4 * 4;
}

inline std::int64_t TensorCorePlan::shared_bytes() const {
  return tensor_core_fixed_bytes(block_channels(), block_pixels(), warps,
                                 warpgroups > 0 ? 1 : warps / warps_m) +
         pairs() * 8 +
         (unrolled ? std::max(patch_bytes(), raw_bytes()) : patch_bytes() + raw_bytes());
}

inline std::string TensorCorePlan::description() const {
  return std::string(warpgroups > 0 ? "tensor cores by warpgroups, " : "tensor cores, ") +
         (in_passes ? "in two passes, " : "") +
         (precision == Precision::fp32 ? "operands of two float16 each" : "operands of float16") +
         ", tiles of " + std::to_string(tiles.tile_height) + " rows x " +
         std::to_string(tiles.tile_width) + " columns x " + std::to_string(block_channels()) +
         " channels, " + std::to_string(chunk_channels) + " input channels at a time";
}

}  // namespace fusedconv::detail

#endif
