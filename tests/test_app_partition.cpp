// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>

#include "partition.hpp"

namespace fusedconv::test {
namespace {

using app::ImageRange;
using app::images_of_rank;

TEST(Partition, SharesEvenlyAndCoversEveryImageOnce) {
  for (const std::int64_t images : {1, 2, 7, 8, 64, 1000}) {
    for (const std::int64_t ranks : {1, 2, 3, 5, 8, 13}) {
      std::int64_t next = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const ImageRange range = images_of_rank(images, ranks, rank);
        EXPECT_EQ(range.first, next);
        EXPECT_GE(range.count, images / ranks);
        EXPECT_LE(range.count, (images + ranks - 1) / ranks);
        next += range.count;
      }
      EXPECT_EQ(next, images);
    }
  }
}

TEST(Partition, GivesTheFirstRanksOneMore) {
  EXPECT_EQ(images_of_rank(7, 3, 0), (ImageRange{0, 3}));
  EXPECT_EQ(images_of_rank(7, 3, 1), (ImageRange{3, 2}));
  EXPECT_EQ(images_of_rank(7, 3, 2), (ImageRange{5, 2}));
}

TEST(Partition, LeavesTheLastRanksWithNone) {
  EXPECT_EQ(images_of_rank(2, 5, 1), (ImageRange{1, 1}));
  EXPECT_EQ(images_of_rank(2, 5, 2), (ImageRange{2, 0}));
  EXPECT_EQ(images_of_rank(2, 5, 4), (ImageRange{2, 0}));
}

TEST(Partition, CountsBeyond32Bits) {
  const std::int64_t images = std::int64_t{1} << 40;
  EXPECT_EQ(images_of_rank(images, 3, 2), (ImageRange{733007751851, 366503875925}));
}

}  // namespace
}  // namespace fusedconv::test
