// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_ROW_CHECKSUMS_HPP
#define FUSEDCONV_APP_HDF5_ROW_CHECKSUMS_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "handle.hpp"
#include "images.hpp"

/// Checksums of an output's rows: the dataset `output_crc32` (N, C, H) has the CRC-32 (that of zlib
/// and of Python's zlib.crc32) of the bytes of each row (n, c, h) of `output`, as they are stored
/// before any filter. A row is what no rank and no piece shares with another, so that checksums are
/// written with the rows, again and again if need be, and depend on nothing but the output.
namespace fusedconv::app::hdf5 {

inline constexpr const char* checksums_name = "output_crc32";

/// CRC-32 of consecutive rows of some bytes that come in parts of any size.
class RowChecksums {
 public:
  explicit RowChecksums(std::int64_t row_bytes) : row_bytes_(row_bytes) {}

  void add(const void* bytes, std::int64_t count);
  /// Of the rows that are whole.
  const std::vector<std::uint32_t>& rows() const { return rows_; }

 private:
  std::int64_t row_bytes_ = 0;
  std::int64_t missing_ = 0;  ///< bytes of the row at hand
  std::vector<std::uint32_t> rows_;
};

/// Creates the dataset.
/// \param extents (N, C, H, W) of the output
Dataset create_checksums(const File& file, const std::vector<std::int64_t>& extents,
                         const PropertyList& creation);

/// (N, C, H)
std::vector<std::int64_t> checksum_extents(const std::vector<std::int64_t>& extents);

/// Reads and writes the checksums of a region's rows, in the order of (image, channel, row).
/// \param extents (N, C, H, W) of the output
std::vector<std::uint32_t> read_checksums(const Dataset& checksums,
                                          const std::vector<std::int64_t>& extents,
                                          const Region& region);
void write_checksums(Dataset& checksums, const std::vector<std::int64_t>& extents,
                     const Region& region, const std::vector<std::uint32_t>& rows);

}  // namespace fusedconv::app::hdf5

#endif
