// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fusedconv/error.hpp>
#include <fusedconv/row_range.hpp>
#include <string>

namespace fusedconv {

RowRange input_rows(const Shape& shape, const RowRange& output_rows) {
  const std::int64_t height = shape.output_height();
  if (output_rows.first < 0 || output_rows.count < 1 || output_rows.first >= height ||
      output_rows.count > height - output_rows.first) {
    throw InvalidArgument("rows", "1 or more of the " + std::to_string(height) + " output rows",
                          std::to_string(output_rows.count) + " rows from row " +
                              std::to_string(output_rows.first) + " on");
  }
  const std::int64_t top = output_rows.first * shape.stride[0] - shape.padding[0];
  const std::int64_t bottom = (output_rows.end() - 1) * shape.stride[0] - shape.padding[0] +
                              (shape.kernel_size[0] - 1) * shape.dilation[0] + 1;
  const std::int64_t first = std::clamp<std::int64_t>(top, 0, shape.height);
  return {first, std::clamp<std::int64_t>(bottom, first, shape.height) - first};
}

}  // namespace fusedconv
