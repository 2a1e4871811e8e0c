// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_COMPRESSION_HPP
#define FUSEDCONV_APP_HDF5_COMPRESSION_HPP

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "file_access.hpp"

namespace fusedconv::app::hdf5 {

enum class Filter { none, gzip, zstd };

/// With which filter the chunks of an output are compressed, their bytes shuffled before.
struct Compression {
  Filter filter = Filter::none;
  int level = 0;
};

/// "gzip 6", or "none"
std::string to_string(const Compression& compression);

/// \param filter "gzip" (levels 0 to 9) or "zstd" (levels 1 to 22)
/// \throws InvalidArgument if there is none of this name or level, or where this HDF5 lacks the
///         filter: zstd is a plugin, number 32015 of those that The HDF Group has registered
Compression compression_from_string(const std::string& filter, const std::string& level);

/// Extents of a chunk: whole channels of an image, or rows of one, of a MiB or less, as fits HDF5's
/// cache for reading.
/// \param extents (N, C, H, W)
std::vector<std::int64_t> chunk_extents(const std::vector<std::int64_t>& extents,
                                        std::int64_t element_bytes);

/// Copies the dataset `output` of a file to a new file, in compressed chunks. Called by all ranks,
/// which share the chunks. Compressing changes what a file says of itself at every write, so that a
/// process that is killed would spoil the file: it is done when everything is complete elsewhere.
/// \param stop asked now and then by all ranks together
/// \return false if it stopped before it was done
bool write_compressed(const Communicator& communicator, const std::string& from,
                      const std::string& to, const Compression& compression, const Hints& hints,
                      const std::function<bool()>& stop);

}  // namespace fusedconv::app::hdf5

#endif
