// SPDX-License-Identifier: Apache-2.0
#include "row_checksums.hpp"

#include <zlib.h>

#include <algorithm>
#include <bit>

namespace fusedconv::app::hdf5 {

namespace {

static_assert(std::endian::native == std::endian::little,
              "outputs are little-endian, and so are the bytes that checksums are of");

std::int64_t rows_of(const std::vector<std::int64_t>& extents, const Region& region) {
  return region.images * extents[1] * region.rows;
}

/// The blocks of a region's checksums, which are those of an output whose rows have one element.
std::vector<Block> blocks_of_checksums(const std::vector<std::int64_t>& extents,
                                       const Region& region) {
  std::vector<Block> blocks = blocks_of({extents[0], extents[1], extents[2], 1}, region);
  for (Block& block : blocks) {
    block.start.pop_back();
    block.count.pop_back();
  }
  return blocks;
}

}  // namespace

void RowChecksums::add(const void* bytes, std::int64_t count) {
  const auto* next = static_cast<const Bytef*>(bytes);
  while (count > 0) {
    if (missing_ == 0) {
      rows_.push_back(static_cast<std::uint32_t>(crc32_z(0, Z_NULL, 0)));
      missing_ = row_bytes_;
    }
    const std::int64_t part = std::min(missing_, count);
    rows_.back() =
        static_cast<std::uint32_t>(crc32_z(rows_.back(), next, static_cast<z_size_t>(part)));
    next += part;
    count -= part;
    missing_ -= part;
  }
}

Dataset create_checksums(const File& file, const std::vector<std::int64_t>& extents,
                         const PropertyList& creation) {
  return Dataset::create(file, checksums_name, H5T_STD_U32LE,
                         Dataspace::simple(checksum_extents(extents)), creation.id());
}

std::vector<std::int64_t> checksum_extents(const std::vector<std::int64_t>& extents) {
  return {extents[0], extents[1], extents[2]};
}

std::vector<std::uint32_t> read_checksums(const Dataset& checksums,
                                          const std::vector<std::int64_t>& extents,
                                          const Region& region) {
  std::vector<std::uint32_t> rows(static_cast<std::size_t>(rows_of(extents, region)));
  for (const Block& block : blocks_of_checksums(extents, region)) {
    read_block(checksums, block, H5T_NATIVE_UINT32, rows.data() + block.offset);
  }
  return rows;
}

void write_checksums(Dataset& checksums, const std::vector<std::int64_t>& extents,
                     const Region& region, const std::vector<std::uint32_t>& rows) {
  for (const Block& block : blocks_of_checksums(extents, region)) {
    write_block(checksums, block, H5T_NATIVE_UINT32, rows.data() + block.offset);
  }
}

}  // namespace fusedconv::app::hdf5
