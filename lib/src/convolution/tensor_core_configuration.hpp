// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_CONFIGURATION_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_CONFIGURATION_HPP

#include <cuda_runtime.h>

#include "tensor_core_task.hpp"

namespace fusedconv::detail {

/// A kernel of the tensor cores: what it is made for, and what follows from that.
///
/// \tparam Split  operands as sums of two float16, three products; else one float16 product
/// \tparam Warps  warps that compute: 4, of 64 pixels each, or 8, of 32
/// \tparam WarpsM how many of them lie side by side over the output channels
/// \tparam Kernel 3 for kernels of 3 x 3 over at most 8 input channels and tiles 64 pixels wide, at
///                unit stride and dilation; 0 for all others
/// \tparam BeginsWithWords whether rows of the image begin with words of 16 bytes
template <bool Split, int Warps, int WarpsM, int Kernel, bool BeginsWithWords>
struct TensorCoreConfiguration {
  static constexpr bool begins_with_words = BeginsWithWords;
  static constexpr bool split = Split;
  static constexpr int warps = Warps;
  static constexpr int warps_m = WarpsM;
  static constexpr int kernel = Kernel;
  static constexpr bool one_chunk = kernel != 0;
  /// The tensor cores cut off what a float does not hold: a long sum in them shrinks. Float32-
  /// accurate sums are therefore taken in parts, which are added by ordinary additions.
  static constexpr bool in_parts = split && !one_chunk;
  static constexpr int pairs_per_part = 2;

  static constexpr int threads = 32 * warps;
  /// Whether one more warp keeps the statistics, or all do that besides: the registers of parts
  /// leave none for another.
  static constexpr bool statistics_warp = one_chunk;
  static constexpr int block_threads = threads + (statistics_warp ? 32 : 0);
  static constexpr int blocks_per_multiprocessor = in_parts ? 2 : one_chunk || warps == 8 ? 3 : 4;

  static constexpr int warps_n = warps / warps_m;
  static constexpr bool by_warpgroup = false;
  static constexpr int m_tiles = 2;           ///< of 16 output channels, of a warp
  static constexpr int n_tiles = 32 / warps;  ///< of 8 pixels, of a warp
  static constexpr int warp_pixels = 8 * n_tiles;
  static constexpr int channels = 16 * m_tiles * warps_m;
  static constexpr int pixels = warp_pixels * warps_n;
  static constexpr int activation_pitch = pixels + 8;  ///< a quarter-warp's stores meet all banks

  /// Rounds in which the threads convert a patch that they read once; 0: patches are read twice.
  static constexpr int rounds = one_chunk             ? tensor_core_unrolled_patch / threads
                                : split && warps == 8 ? 2
                                                      : 0;
  /// The largest magnitude is scaled to [2^top, 2^(top + 1)).
  static constexpr int top = one_chunk ? 14 : 11;
  /// Scaled magnitudes below 2^least lose digits to float16's smallest exponent.
  static constexpr int least = split ? -3 : -14;
};

/// The kernel whose warps multiply in groups of four, by wgmma, which compute capability 9.0 alone
/// has: 64 output channels x 128 pixels a group, 16 channels a warp. The right operand stays in
/// shared memory, so that neither loads of matrices nor most of the multiplications' issue slots
/// are spent; for several chunks of input channels and horizontal stride 1.
///
/// \tparam Warpgroups 1, or 2 side by side over the output channels, which share a converted patch;
///                    float32-accurate sums take too many registers for 2
/// \tparam BeginsWithWords see TensorCoreConfiguration
template <bool Split, int Warpgroups, bool BeginsWithWords>
struct TensorCoreWarpgroupConfiguration {
  static constexpr bool begins_with_words = BeginsWithWords;
  static constexpr bool split = Split;
  static constexpr int warps = 4 * Warpgroups;
  static constexpr int warps_m = warps;
  static constexpr int kernel = 0;
  static constexpr bool one_chunk = false;
  static constexpr bool in_parts = split;
  static constexpr int threads = 32 * warps;
  static constexpr bool statistics_warp = false;
  static constexpr int block_threads = threads;
  static constexpr int blocks_per_multiprocessor = split || Warpgroups == 2 ? 2 : 3;
  static constexpr int warps_n = 1;
  static constexpr bool by_warpgroup = true;
  static constexpr int m_tiles = 1;
  static constexpr int n_tiles = 16;
  static constexpr int warp_pixels = 128;
  static constexpr int channels = 16 * warps;
  static constexpr int pixels = 128;
  static constexpr int activation_pitch = pixels + 8;
  static constexpr int rounds = split ? 7 : 4 / Warpgroups;
  static constexpr int top = 11;
  static constexpr int least = split ? -3 : -14;
};

/// The kernel made for 3 x 3 over at most 8 input channels, by wgmma: 32 output channels, 8 a warp,
/// of 4 rows x 64 columns or 2 x 128.
///
/// The 16 rows that a warp multiplies are its 8 channels twice: the weights for an output row, and
/// for the row below it. Their kernels lie in the same rows of the input, one more than the kernel
/// has.
///
/// \tparam Width of a tile: 64, two products one below the other, or 128, two side by side
/// \tparam BeginsWithWords see TensorCoreConfiguration
template <bool Split, int Width, bool BeginsWithWords>
struct TensorCoreUnrolledWarpgroupConfiguration {
  static constexpr bool begins_with_words = BeginsWithWords;
  static constexpr bool split = Split;
  static constexpr int warps = 4;
  static constexpr int warps_m = warps;
  static constexpr int kernel = 3;
  static constexpr bool one_chunk = true;
  static constexpr bool in_parts = false;
  static constexpr int threads = 32 * warps;
  static constexpr bool statistics_warp = false;
  static constexpr int block_threads = threads;
  static constexpr int blocks_per_multiprocessor = 4;
  static constexpr int warps_n = 1;
  static constexpr bool by_warpgroup = true;
  static constexpr int m_tiles = 1;
  static constexpr int n_tiles = 16;
  static constexpr int products_across = Width / tensor_core_unrolled_columns;
  static constexpr int tile_height =
      tensor_core_unrolled_rows * tensor_core_unrolled_products / products_across;
  static constexpr int tile_width = Width;
  static constexpr int patch_height = tile_height + kernel - 1;
  static constexpr int patch_pitch = Width + tensor_core_unrolled_margin;
  static constexpr int pixels = tile_height * tile_width;
  static constexpr int warp_pixels = pixels;
  static constexpr int channels = 32;
  static constexpr int warp_channels = channels / warps;
  static constexpr int activation_pitch = pixels + 8;
  static constexpr int rounds = (patch_height * patch_pitch + threads - 1) / threads;
  static constexpr int top = 14;
  static constexpr int least = split ? -3 : -14;
};

extern __shared__ __align__(128) char tensor_core_shared[];

/// Shared memory of a block up to its input: what the compiler knows the place of.
template <class C>
struct TensorCoreShared {
  float activations[C::channels][C::activation_pitch];
  double2 sums[2][C::warps_n][C::channels];  ///< of tiles in turn: of values and of their squares
  float4 normalization[2][C::channels];      ///< of tiles in turn: mean, factor, offset
  unsigned long long kept[2 * C::channels];  ///< sums that nobody waits for
  float4 constants[2][C::channels];          ///< of tiles in turn, see TensorCoreTask
  TensorCoreTile tiles[4];                   ///< of tiles in turn
  unsigned largest[C::warps];                ///< magnitude of a warp's input
  uint4 patch[1];  ///< of unknown length; unconverted input and offsets follow
};

}  // namespace fusedconv::detail

#endif
