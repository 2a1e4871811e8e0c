// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_IMAGES_HPP
#define FUSEDCONV_APP_HDF5_IMAGES_HPP

#include <cstdint>
#include <vector>

#include "handle.hpp"

namespace fusedconv::app::hdf5 {

/// A part of a dataset that is contiguous in row-major order.
struct Block {
  std::vector<std::int64_t> start;
  std::vector<std::int64_t> count;
  std::int64_t offset = 0;  ///< elements from the first element of the first image
  std::int64_t size = 0;    ///< elements
};

/// Elements of one transfer: with the widest type that HDF5 converts from (16 bytes) it stays below
/// the 2 GiB that MPI-IO can count.
inline constexpr std::int64_t max_transfer_elements = std::int64_t{1} << 26;

/// Cuts the images [first, first + count) into blocks of at most max_elements elements, in order.
/// \param extents (N, ...) of the dataset; images are cut too where one is larger than a block
std::vector<Block> blocks_of_images(const std::vector<std::int64_t>& extents, std::int64_t first,
                                    std::int64_t count,
                                    std::int64_t max_elements = max_transfer_elements);

/// Reads one block, converted from whatever numeric type is stored.
void read_block(const Dataset& dataset, const Block& block, float* values);
void read_block(const Dataset& dataset, const Block& block, double* values);

/// Reads the images [first, first + count) of a dataset (N, ...) to contiguous memory. Independent
/// of what other ranks do.
void read_images(const Dataset& dataset, std::int64_t first, std::int64_t count, float* images);

/// Writes contiguous memory to the images [first, first + count) of a dataset (N, ...). Independent
/// of what other ranks do.
void write_images(Dataset& dataset, std::int64_t first, std::int64_t count, const float* images);

}  // namespace fusedconv::app::hdf5

#endif
