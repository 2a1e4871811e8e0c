// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PARTITION_HPP
#define FUSEDCONV_APP_PARTITION_HPP

#include <algorithm>
#include <cstdint>

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

}  // namespace fusedconv::app

#endif
