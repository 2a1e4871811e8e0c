// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PARTITION_HPP
#define FUSEDCONV_APP_PARTITION_HPP

#include <algorithm>
#include <cstdint>
#include <vector>

#include "piece.hpp"

namespace fusedconv::app {

/// Consecutive images.
struct ImageRange {
  std::int64_t first = 0;
  std::int64_t count = 0;

  friend bool operator==(const ImageRange&, const ImageRange&) = default;
};

/// The images of a rank: consecutive ranks have consecutive images, the first ranks one more where
/// the number of images is not a multiple of the number of ranks, and the last ones none where
/// there are more ranks than images.
constexpr ImageRange images_of_rank(std::int64_t images, std::int64_t ranks, std::int64_t rank) {
  const std::int64_t least = images / ranks;
  const std::int64_t with_one_more = images % ranks;
  return {rank * least + std::min(rank, with_one_more), least + (rank < with_one_more ? 1 : 0)};
}

/// The output rows of a rank: whole blocks of `alignment` rows, shared as images_of_rank shares
/// images; the last block of the image may have fewer rows.
constexpr RowRange rows_of_rank(std::int64_t height, std::int64_t alignment, std::int64_t ranks,
                                std::int64_t rank) {
  const std::int64_t blocks = (height + alignment - 1) / alignment;
  const ImageRange share = images_of_rank(blocks, ranks, rank);
  const std::int64_t first = std::min(height, share.first * alignment);
  return {first, std::min(height, (share.first + share.count) * alignment) - first};
}

/// Consecutive images of one file that are to be computed.
struct FileImages {
  std::int64_t file = 0;
  ImageRange images;
};

/// How a job is cut into pieces.
struct Cut {
  std::int64_t images = 1;     ///< of a piece, where images are whole
  bool by_rows = false;        ///< whether all ranks share the rows of every image
  std::int64_t rows = 0;       ///< of a piece, where images are split: a multiple of alignment
  std::int64_t alignment = 1;  ///< rows at whose multiples an image may be split
};

/// The pieces of a rank in the order in which it computes them. Where images are whole, ranks share
/// the images of all files evenly, and no piece has images of two files. Where they are split,
/// every rank has a share of the rows of every image: one piece, or two sweeps in several. \param
/// output_height rows of an output image
std::vector<Piece> pieces_of_rank(const std::vector<FileImages>& work, const Cut& cut,
                                  std::int64_t output_height, std::int64_t ranks,
                                  std::int64_t rank);

}  // namespace fusedconv::app

#endif
