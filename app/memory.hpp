// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_MEMORY_HPP
#define FUSEDCONV_APP_MEMORY_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <string>

namespace fusedconv::app {

/// Bytes in host memory and in a device's own memory, which a host backend has none of.
struct MemoryBytes {
  std::int64_t host = 0;
  std::int64_t device = 0;
};

/// What computing a chunk needs.
/// \param shape           `batch` is the number of images of the chunk
/// \param workspace_bytes of the layer
/// \param own_memory      whether the backend computes in a memory of its own
MemoryBytes chunk_memory(const Shape& shape, std::int64_t workspace_bytes, bool own_memory);

/// The most images of which the memory stays within limits, at least 1.
/// \param per_image what computing one image needs
/// \param images    the most there are to compute
/// \param available host and device memory that may be used
std::int64_t chunk_that_fits(const MemoryBytes& per_image, std::int64_t images,
                             const MemoryBytes& available);

/// The images of a chunk are no more than this, however much memory is free: larger chunks are no
/// faster, and several of them let progress be told.
inline constexpr std::int64_t most_bytes_of_a_chunk = std::int64_t{256} << 20;

/// "1.5 GiB"
std::string bytes_text(std::int64_t bytes);

}  // namespace fusedconv::app

#endif
