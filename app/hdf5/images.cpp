// SPDX-License-Identifier: Apache-2.0
#include "images.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace fusedconv::app::hdf5 {

namespace {

std::int64_t product(std::vector<std::int64_t>::const_iterator first,
                     std::vector<std::int64_t>::const_iterator last) {
  return std::accumulate(first, last, std::int64_t{1}, std::multiplies<>());
}

Dataspace selection(const Dataset& dataset, const Block& block) {
  Dataspace space = dataset.space();
  if (block.size == 0) {
    space.select_none();
  } else {
    space.select_hyperslab(block.start, block.count);
  }
  return space;
}

/// Cuts a box into blocks that are consecutive in the row-major order of the box.
std::vector<Block> blocks_of_box(const std::vector<std::int64_t>& start,
                                 const std::vector<std::int64_t>& count,
                                 std::int64_t max_elements) {
  if (product(count.begin(), count.end()) == 0) return {};
  // The outermost axis of which at least one step fits a block is cut in steps; axes before it are
  // walked one index at a time, axes after it are taken whole.
  const auto within = [&](std::size_t axis) {
    return product(count.begin() + static_cast<std::ptrdiff_t>(axis) + 1, count.end());
  };
  std::size_t axis = 0;
  while (axis + 1 < count.size() && within(axis) > max_elements) ++axis;
  const std::int64_t row = within(axis);
  const std::int64_t step = std::max<std::int64_t>(1, max_elements / row);
  const auto end = [&](std::size_t of) { return start[of] + count[of]; };

  std::vector<Block> blocks;
  std::int64_t offset = 0;
  std::vector<std::int64_t> position = start;
  while (position[0] < end(0)) {
    Block block{position, count, offset, 0};
    std::fill_n(block.count.begin(), axis, 1);
    block.count[axis] = std::min(step, end(axis) - position[axis]);
    block.size = block.count[axis] * row;
    offset += block.size;
    position[axis] += block.count[axis];
    for (std::size_t full = axis; full > 0 && position[full] == end(full); --full) {
      position[full] = start[full];
      ++position[full - 1];
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace

std::vector<Block> blocks_of(const std::vector<std::int64_t>& extents, const Region& region,
                             std::int64_t max_elements) {
  return blocks_of_box({region.first_image, 0, region.first_row, 0},
                       {region.images, extents[1], region.rows, extents[3]}, max_elements);
}

std::vector<Block> blocks_of_images(const std::vector<std::int64_t>& extents, std::int64_t first,
                                    std::int64_t count, std::int64_t max_elements) {
  std::vector<std::int64_t> start(extents.size(), 0);
  start[0] = first;
  std::vector<std::int64_t> counts = extents;
  counts[0] = count;
  return blocks_of_box(start, counts, max_elements);
}

void read_block(const Dataset& dataset, const Block& block, float* values) {
  read_block(dataset, block, H5T_NATIVE_FLOAT, values);
}

void read_block(const Dataset& dataset, const Block& block, double* values) {
  read_block(dataset, block, H5T_NATIVE_DOUBLE, values);
}

void read_block(const Dataset& dataset, const Block& block, hid_t memory_type, void* values) {
  dataset.read(memory_type, Dataspace::simple({block.size}), selection(dataset, block), H5P_DEFAULT,
               values);
}

void write_block(Dataset& dataset, const Block& block, hid_t memory_type, const void* values,
                 hid_t transfer) {
  dataset.write(memory_type, Dataspace::simple({block.size}), selection(dataset, block), transfer,
                values);
}

void read_region(const Dataset& dataset, const Region& region, float* values) {
  for (const Block& block : blocks_of(dataset.extents(), region)) {
    read_block(dataset, block, values + block.offset);
  }
}

void write_region(Dataset& dataset, const Region& region, const float* values) {
  for (const Block& block : blocks_of(dataset.extents(), region)) {
    write_block(dataset, block, H5T_NATIVE_FLOAT, values + block.offset);
  }
}

}  // namespace fusedconv::app::hdf5
