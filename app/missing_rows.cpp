// SPDX-License-Identifier: Apache-2.0
#include "missing_rows.hpp"

#include <algorithm>
#include <utility>

namespace fusedconv::app {

namespace {

/// [begin, end) of the rows of all images in a row.
using Interval = std::pair<std::int64_t, std::int64_t>;

/// The lesser one of first + count, which need not be a number where a file says them, and most.
std::int64_t end_of(std::int64_t first, std::int64_t count, std::int64_t most) {
  std::int64_t end = 0;
  if (__builtin_add_overflow(first, count, &end)) return count > 0 ? most : 0;
  return std::min(end, most);
}

/// Cuts an interval at the images that it does not cover whole.
void append(std::vector<hdf5::Region>& parts, Interval interval, std::int64_t rows) {
  auto [begin, end] = interval;
  if (begin % rows != 0) {
    const std::int64_t image = begin / rows;
    const std::int64_t stop = std::min(end, (image + 1) * rows);
    parts.push_back({image, 1, begin % rows, stop - begin});
    begin = stop;
  }
  const std::int64_t whole = (end - begin) / rows;
  if (whole > 0) parts.push_back({begin / rows, whole, 0, rows});
  begin += whole * rows;
  if (begin < end) parts.push_back({begin / rows, 1, 0, end - begin});
}

}  // namespace

std::vector<hdf5::Region> missing_rows(std::int64_t images, std::int64_t rows,
                                       const std::vector<hdf5::Region>& complete) {
  std::vector<Interval> done;
  for (const hdf5::Region& part : complete) {
    const std::int64_t first = std::max<std::int64_t>(part.first_image, 0);
    const std::int64_t last = end_of(part.first_image, part.images, images);
    const std::int64_t top = std::max<std::int64_t>(part.first_row, 0);
    const std::int64_t bottom = end_of(part.first_row, part.rows, rows);
    if (top == 0 && bottom == rows) {
      if (first < last) done.emplace_back(first * rows, last * rows);
    } else if (top < bottom) {
      for (std::int64_t image = first; image < last; ++image) {
        done.emplace_back(image * rows + top, image * rows + bottom);
      }
    }
  }
  std::sort(done.begin(), done.end());

  std::vector<hdf5::Region> missing;
  std::int64_t next = 0;
  for (const auto& [begin, end] : done) {
    if (begin > next) append(missing, {next, begin}, rows);
    next = std::max(next, end);
  }
  if (next < images * rows) append(missing, {next, images * rows}, rows);
  return missing;
}

std::int64_t complete_images(std::int64_t images, const std::vector<hdf5::Region>& missing) {
  std::int64_t last = -1;
  for (const hdf5::Region& part : missing) {
    // Two parts of one image may be missing.
    images -= part.first_image == last ? part.images - 1 : part.images;
    last = part.first_image + part.images - 1;
  }
  return images;
}

}  // namespace fusedconv::app
