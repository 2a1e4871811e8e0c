// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_MEMORY_HPP
#define FUSEDCONV_APP_MEMORY_HPP

#include <cstdint>
#include <functional>
#include <fusedconv/shape.hpp>
#include <string>

#include "partition.hpp"

namespace fusedconv::app {

/// Bytes in host memory and in a device's own memory, which a host backend has none of.
struct MemoryBytes {
  std::int64_t host = 0;
  std::int64_t device = 0;
};

/// Number and size of the buffers of a computation; a device's own are as many.
struct Buffers {
  int count = 2;                     ///< for input, and as many for output
  std::int64_t input_elements = 0;   ///< of the largest piece
  std::int64_t output_elements = 0;  ///< of the largest piece
};

/// What a layer needs besides images.
struct LayerMemory {
  bool on_device = false;                                     ///< or in host memory
  std::function<std::int64_t(std::int64_t)> workspace_bytes;  ///< by the most images of a run
  std::int64_t parameter_bytes = 0;                           ///< on the host
  std::int64_t row_alignment = 0;     ///< rows at whose multiples images may be split; 0: nowhere
  std::int64_t statistics_words = 0;  ///< of a split image, 8 bytes each
};

/// How much memory a rank may take.
struct MemoryLimit {
  MemoryBytes wanted;     ///< to stay within
  MemoryBytes available;  ///< what may be exceeded by nothing
  /// Whether a user set what is wanted, which then is not exceeded.
  bool host_is_demanded = false;
  bool device_is_demanded = false;
};

/// How a job is cut into pieces, and what a rank needs for it.
struct PiecePlan {
  Cut cut;
  Buffers buffers;
  std::int64_t statistics_words = 0;  ///< that ranks sum for an image
  MemoryBytes memory;
};

/// Sizes the pieces of a job so that what a rank holds stays within limits, however many images
/// there are. Images are split by rows where there are fewer than ranks, or where one does not fit.
/// \param shape  `batch` is the number of images of the job
/// \param chunk  images of a piece, whole ones; 0: as memory allows
/// \throws InvalidArgument if the smallest piece exceeds a limit that the user set
/// \throws OutOfMemory if it exceeds what is available
PiecePlan plan_pieces(const Shape& shape, std::int64_t ranks, std::int64_t chunk,
                      const LayerMemory& layer, const MemoryLimit& limit);

/// A piece's input and output are no more than this, unless one image is, however much memory is
/// free: several pieces overlap and let progress be told. On the host, what is still in the
/// third-level cache is written at less cost; a device wants more work at a time.
constexpr std::int64_t most_bytes_of_a_piece(bool on_device) {
  return std::int64_t{on_device ? 64 : 16} << 20;
}

/// "1.5 GiB"
std::string bytes_text(std::int64_t bytes);

}  // namespace fusedconv::app

#endif
