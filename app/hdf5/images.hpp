// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_IMAGES_HPP
#define FUSEDCONV_APP_HDF5_IMAGES_HPP

#include <cstdint>
#include <vector>

#include "handle.hpp"

namespace fusedconv::app::hdf5 {

/// A hyperslab of a dataset that is moved in one transfer to or from contiguous memory.
struct Block {
  std::vector<std::int64_t> start;
  std::vector<std::int64_t> count;
  std::int64_t offset = 0;  ///< elements in memory from the first element of the first block
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

/// Consecutive whole images of a dataset (N, C, H, W), or consecutive rows of one image.
struct Region {
  std::int64_t first_image = 0;
  std::int64_t images = 0;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;

  friend bool operator==(const Region&, const Region&) = default;
};

/// Cuts a region into blocks of at most max_elements elements, in the order of (image, channel,
/// row, column); `offset` of a block counts from the first element of the region. \param extents
/// (N, C, H, W) of the dataset
std::vector<Block> blocks_of(const std::vector<std::int64_t>& extents, const Region& region,
                             std::int64_t max_elements = max_transfer_elements);

/// Reads one block, converted from whatever numeric type is stored.
void read_block(const Dataset& dataset, const Block& block, float* values);
void read_block(const Dataset& dataset, const Block& block, double* values);
void read_block(const Dataset& dataset, const Block& block, hid_t memory_type, void* values);

/// Writes one block.
/// \param transfer transfer properties; ranks that transfer together may have blocks of size 0
void write_block(Dataset& dataset, const Block& block, hid_t memory_type, const void* values,
                 hid_t transfer = H5P_DEFAULT);

/// Reads a region of a dataset (N, C, H, W) to contiguous memory. Independent of what other ranks
/// do.
void read_region(const Dataset& dataset, const Region& region, float* values);

/// Writes contiguous memory to a region of a dataset (N, C, H, W). Independent of what other ranks
/// do.
void write_region(Dataset& dataset, const Region& region, const float* values);

}  // namespace fusedconv::app::hdf5

#endif
