// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_ROW_RANGE_HPP
#define FUSEDCONV_ROW_RANGE_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>

namespace fusedconv {

/// Consecutive rows of an image's input or output.
struct RowRange {
  std::int64_t first = 0;  ///< index of the first row, in the whole image
  std::int64_t count = 0;  ///< rows

  /// The row after the last.
  std::int64_t end() const { return first + count; }

  /// Whether both are the same rows.
  bool operator==(const RowRange&) const = default;
};

/// The input rows that a block of output rows is computed from: from the first to the last that its
/// kernels reach, clipped to the image. None, if they reach nothing but padding.
/// \throws InvalidArgument naming "rows" if those are not 1 or more of the shape's output rows
RowRange input_rows(const Shape& shape, const RowRange& output_rows);

}  // namespace fusedconv

#endif
