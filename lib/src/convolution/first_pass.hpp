// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_FIRST_PASS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_FIRST_PASS_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <fusedconv/activation.hpp>
#include <fusedconv/row_range.hpp>
#include <fusedconv/shape.hpp>
#include <numeric>

#include "../moments.hpp"

namespace fusedconv::detail {

/// The members of Shape that a convolution kernel reads, in a form that device code can hold.
struct Geometry {
  explicit Geometry(const Shape& s)
      : in_channels(s.in_channels),
        height(s.height),
        width(s.width),
        out_channels(s.out_channels),
        output_height(s.output_height()),
        output_width(s.output_width()),
        kernel_height(s.kernel_size[0]),
        kernel_width(s.kernel_size[1]),
        stride_height(s.stride[0]),
        stride_width(s.stride[1]),
        padding_height(s.padding[0]),
        padding_width(s.padding[1]),
        dilation_height(s.dilation[0]),
        dilation_width(s.dilation[1]),
        groups(s.groups),
        group_in_channels(s.in_channels_per_group()),
        group_out_channels(s.out_channels_per_group()) {}

  /// Whether every pixel is on its own: planes may be taken for rows.
  bool is_pointwise() const {
    return kernel_height * kernel_width * stride_height * stride_width == 1 &&
           padding_height == 0 && padding_width == 0;
  }

  /// Makes each plane of a pointwise convolution one row.
  void flatten() {
    flattened_width = width;
    width *= height;
    output_width *= output_height;
    height = output_height = 1;
  }

  std::int64_t in_channels, height, width;
  std::int64_t out_channels, output_height, output_width;
  std::int64_t kernel_height, kernel_width;
  std::int64_t stride_height, stride_width;
  std::int64_t padding_height, padding_width;
  std::int64_t dilation_height, dilation_width;
  std::int64_t groups, group_in_channels, group_out_channels;
  std::int64_t flattened_width = 0;  ///< width of the image where planes were made rows, else 0
};

/// A block of output rows of an image as an image of its own, whose input are the rows that it
/// needs. A whole image is the block of all its rows.
struct RowBlock {
  Geometry geometry;            ///< planes end where the block does; what is padding, stays it
  TileGrid tiles;               ///< of the block
  std::int64_t first_tile = 0;  ///< number of its first tile in the image
};

/// \param image the block of all rows
/// \param rows  beginning at a multiple of row_alignment() and ending at one or at the last row
/// \param input the rows that they need, see input_rows()
inline RowBlock row_block(const RowBlock& image, const RowRange& rows, const RowRange& input) {
  RowBlock block = image;
  Geometry& g = block.geometry;
  if (g.flattened_width > 0) {
    const std::int64_t first_pixel = rows.first * g.flattened_width;
    g.width = g.output_width = block.tiles.width = rows.count * g.flattened_width;
    block.first_tile = first_pixel / image.tiles.tile_width;
  } else {
    // Its first row is at this place of the input that there is.
    g.padding_height += input.first - rows.first * g.stride_height;
    g.height = input.count;
    g.output_height = block.tiles.height = rows.count;
    block.first_tile = rows.first / image.tiles.tile_height * image.tiles.tiles_across();
  }
  return block;
}

/// Blocks of rows that begin at multiples of it begin with a tile.
inline std::int64_t row_alignment(const Geometry& g, const TileGrid& tiles) {
  if (g.flattened_width == 0) return std::min(tiles.tile_height, tiles.height);
  return std::min(std::lcm(tiles.tile_width, g.flattened_width), tiles.width) / g.flattened_width;
}

/// What the first pass of a run reads and writes: every algorithm is handed one of these.
template <class ExecutionSpace>
struct FirstPass {
  const float* x = nullptr;
  float* y = nullptr;  ///< receives activation((conv2d(x) + bias) * scale)
  std::int64_t images = 0;
  RowBlock block;  ///< of the images, that x and y hold
  /// Receives the moments of what is put in y, those of the block's tiles from first_tile on.
  PartialMomentsView<ExecutionSpace> partial;
};

/// What becomes of the convolution: per-channel constants, packed for the kernels.
template <class ExecutionSpace>
struct Epilogue {
  using Vector =
      Kokkos::View<const float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;
  Vector bias;  ///< conv.bias + bias: added before scaling
  Vector scale;
  Activation activation;
};

}  // namespace fusedconv::detail

#endif
