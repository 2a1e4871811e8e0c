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
  space.select_hyperslab(block.start, block.count);
  return space;
}

}  // namespace

std::vector<Block> blocks_of_images(const std::vector<std::int64_t>& extents, std::int64_t first,
                                    std::int64_t count, std::int64_t max_elements) {
  // The outermost axis of which at least one step fits a block is cut in steps; axes before it are
  // walked one index at a time, axes after it are taken whole.
  std::size_t axis = 0;
  while (axis + 1 < extents.size() &&
         product(extents.begin() + axis + 1, extents.end()) > max_elements) {
    ++axis;
  }
  const std::int64_t row = product(extents.begin() + axis + 1, extents.end());
  const std::int64_t step = std::max<std::int64_t>(1, max_elements / row);

  std::vector<std::int64_t> begin(extents.size(), 0);
  std::vector<std::int64_t> end = extents;
  begin[0] = first;
  end[0] = first + count;

  std::vector<Block> blocks;
  std::int64_t offset = 0;
  std::vector<std::int64_t> position = begin;
  while (position[0] < end[0]) {
    Block block{position, extents, offset, 0};
    std::fill(block.count.begin(), block.count.begin() + axis, 1);
    block.count[axis] = std::min(step, end[axis] - position[axis]);
    block.size = block.count[axis] * row;
    offset += block.size;
    position[axis] += block.count[axis];
    for (std::size_t full = axis; full > 0 && position[full] == end[full]; --full) {
      position[full] = 0;
      ++position[full - 1];
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

void read_block(const Dataset& dataset, const Block& block, float* values) {
  dataset.read(H5T_NATIVE_FLOAT, Dataspace::simple({block.size}), selection(dataset, block),
               H5P_DEFAULT, values);
}

void read_block(const Dataset& dataset, const Block& block, double* values) {
  dataset.read(H5T_NATIVE_DOUBLE, Dataspace::simple({block.size}), selection(dataset, block),
               H5P_DEFAULT, values);
}

void read_images(const Dataset& dataset, std::int64_t first, std::int64_t count, float* images) {
  for (const Block& block : blocks_of_images(dataset.extents(), first, count)) {
    read_block(dataset, block, images + block.offset);
  }
}

void write_images(Dataset& dataset, std::int64_t first, std::int64_t count, const float* images) {
  for (const Block& block : blocks_of_images(dataset.extents(), first, count)) {
    dataset.write(H5T_NATIVE_FLOAT, Dataspace::simple({block.size}), selection(dataset, block),
                  H5P_DEFAULT, images + block.offset);
  }
}

}  // namespace fusedconv::app::hdf5
