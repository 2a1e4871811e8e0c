// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_CONFIGURATION_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_CONFIGURATION_HPP

#include <cstdint>

#include "tensor_core_configuration.hpp"

namespace fusedconv::detail {

/// The kernels of the two passes over images too large to be in flight at once, 3 x 3 over at most
/// 8 input channels, by wgmma: 32 output channels, 8 a warp, of 2 rows x 128 columns. As in
/// TensorCoreUnrolledWarpgroupConfiguration the 16 rows that a warp multiplies are its channels
/// twice.
///
/// \tparam Normalizes the second pass
template <bool Split, bool Normalizes>
struct TensorCorePassConfiguration {
  static constexpr bool split = Split;
  static constexpr bool normalizes = Normalizes;
  static constexpr int warps = 4;
  static constexpr int kernel = 3;
  static constexpr bool one_chunk = true;
  static constexpr bool by_warpgroup = true;
  static constexpr bool statistics_warp = false;
  static constexpr int threads = 32 * warps;
  static constexpr int block_threads = threads;
  /// As many as there are registers for and, in the second pass, shared memory.
  static constexpr int blocks_per_multiprocessor = split && normalizes ? 3 : 4;
  static constexpr int channels = 32;
  static constexpr int warp_channels = channels / warps;
  static constexpr int tile_height = 2;
  static constexpr int tile_width = 128;
  static constexpr int top = 14;
  static constexpr int least = split ? -3 : -14;

  static constexpr int band_rows = 2;
  /// Pixels of a row as it is fetched: from a word of 16 bytes to another, with bulk copies they
  /// must begin with one.
  static constexpr int raw_pitch = tile_width + tensor_core_unrolled_margin;
  /// Pixels of a row from the first that the kernel needs.
  static constexpr int band_pitch = tile_width + 4;
  static constexpr int low_halves = band_rows * band_pitch;
  static constexpr int band_words = (split ? 2 : 1) * low_halves;
  /// Whether there are registers for the weights and sums of a tile, which then are loaded once
  /// and multiplied in one go: with three blocks, that is.
  static constexpr bool holds_all_weights = split && normalizes;
  /// Columns that a warp multiplies and activates before the next ones.
  static constexpr int part_columns = holds_all_weights ? tile_width : tensor_core_unrolled_columns;
  static constexpr int parts = tile_width / part_columns;
  static constexpr int output_pitch = tile_width + 4;

  // What the classes that this kernel shares with others ask for besides.
  static constexpr int m_tiles = 1, n_tiles = 16, warps_m = warps, warps_n = 1;
  static constexpr int warp_pixels = tile_height * tile_width;
};

template <class C>
struct TensorCorePassShared {
  alignas(128) float raw[8][C::band_rows][C::raw_pitch];  ///< a band as it was fetched
  uint4 bands[2][C::band_words];
  alignas(16) float output[C::normalizes ? C::channels : 1][C::tile_height][C::output_pitch];
  /// In turn: columns of tiles one below the other, as one; without rows there is none.
  TensorCoreTile strips[2];
  unsigned largest[C::warps];
  std::uint64_t fetched;  ///< barrier
};

}  // namespace fusedconv::detail

#endif
