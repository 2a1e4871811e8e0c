// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PIECE_HPP
#define FUSEDCONV_APP_PIECE_HPP

#include <cstdint>
#include <fusedconv/row_range.hpp>
#include <fusedconv/shape.hpp>

#include "hdf5/images.hpp"

namespace fusedconv::app {

/// What is computed of a piece.
enum class Sweep {
  both,        ///< convolution, statistics and normalisation
  statistics,  ///< the first of two sweeps over an image: nothing is written
  output       ///< the second one: convolves again and normalises by what the first one found
};

/// What a rank reads, computes and writes at a time: whole images, or output rows of one image
/// whose other rows are in other pieces, of this rank or others.
struct Piece {
  std::int64_t file = 0;         ///< number of the input
  std::int64_t first_image = 0;  ///< in its file
  std::int64_t images = 0;
  std::int64_t first_row = 0;  ///< of the output
  /// Of the output. A rank that has no rows of a split image has a piece without rows: it takes
  /// part in the sum of the statistics alone.
  std::int64_t rows = 0;
  bool split = false;  ///< whether statistics are summed over pieces and ranks
  Sweep sweep = Sweep::both;
  bool begins_statistics = false;     ///< the first piece of this rank with the image's statistics
  bool completes_statistics = false;  ///< the last one: now they are summed over ranks

  bool is_empty() const { return images == 0 || rows == 0; }
  bool is_written() const { return sweep != Sweep::statistics && !is_empty(); }

  friend bool operator==(const Piece&, const Piece&) = default;
};

/// Where a piece's input is in the dataset `input`: for split images the rows with their halo.
inline hdf5::Region input_region(const Shape& shape, const Piece& piece) {
  if (!piece.split) return {piece.first_image, piece.images, 0, shape.height};
  if (piece.is_empty()) return {piece.first_image, piece.images, 0, 0};
  const RowRange rows = input_rows(shape, {piece.first_row, piece.rows});
  return {piece.first_image, piece.images, rows.first, rows.count};
}

/// Where a piece's output belongs in the dataset `output`.
inline hdf5::Region output_region(const Piece& piece) {
  return {piece.first_image, piece.images, piece.first_row, piece.rows};
}

inline std::int64_t input_elements(const Shape& shape, const Piece& piece) {
  return piece.images * shape.in_channels * input_region(shape, piece).rows * shape.width;
}

inline std::int64_t output_elements(const Shape& shape, const Piece& piece) {
  return piece.images * shape.out_channels * piece.rows * shape.output_width();
}

}  // namespace fusedconv::app

#endif
