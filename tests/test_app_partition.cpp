// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "partition.hpp"

namespace fusedconv::test {
namespace {

using app::Cut;
using app::FileImages;
using app::ImageRange;
using app::images_of_rank;
using app::Piece;
using app::Sweep;

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

const std::vector<FileImages> three_files{{0, {0, 4}}, {1, {2, 5}}, {3, {0, 1}}};

TEST(PiecesOfRank, CoverTheImagesOfAllFilesOnce) {
  for (const std::int64_t ranks : {1, 2, 3, 5, 8, 13}) {
    for (const std::int64_t images : {1, 2, 3, 100}) {
      std::vector<std::pair<std::int64_t, std::int64_t>> found;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        for (const Piece& piece :
             app::pieces_of_rank(three_files, {.images = images}, 7, ranks, rank)) {
          EXPECT_LE(piece.images, images);
          EXPECT_EQ(piece.first_row, 0);
          EXPECT_EQ(piece.rows, 7);
          EXPECT_FALSE(piece.split);
          for (std::int64_t image = 0; image < piece.images; ++image) {
            found.emplace_back(piece.file, piece.first_image + image);
          }
        }
      }
      EXPECT_EQ(
          found,
          (std::vector<std::pair<std::int64_t, std::int64_t>>{
              {0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {3, 0}}));
    }
  }
}

TEST(PiecesOfRank, CoverTheRowsOfEveryImageOnceInEachSweep) {
  for (const std::int64_t height : {1, 4, 7, 40, 41}) {
    for (const std::int64_t alignment : {1, 3, 4}) {
      for (const std::int64_t ranks : {1, 2, 3, 5, 8}) {
        for (const std::int64_t blocks : {1, 2, 100}) {
          const Cut cut{.by_rows = true, .rows = blocks * alignment, .alignment = alignment};
          std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> written;
          std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> counted;
          for (std::int64_t rank = 0; rank < ranks; ++rank) {
            for (const Piece& piece : app::pieces_of_rank(three_files, cut, height, ranks, rank)) {
              EXPECT_TRUE(piece.split);
              EXPECT_EQ(piece.images, 1);
              if (piece.is_empty()) continue;
              EXPECT_LE(piece.rows, cut.rows);
              EXPECT_EQ(piece.first_row % alignment, 0);
              const std::int64_t end = piece.first_row + piece.rows;
              EXPECT_TRUE(end == height || end % alignment == 0);
              const std::pair image{piece.file, piece.first_image};
              if (piece.sweep != Sweep::output) {
                EXPECT_EQ(piece.first_row, counted[image]);
                counted[image] += piece.rows;
              }
              if (piece.is_written()) written[image] += piece.rows;
            }
          }
          EXPECT_EQ(counted.size(), 10);
          for (const auto& [image, rows] : counted) EXPECT_EQ(rows, height);
          for (const auto& [image, rows] : written) EXPECT_EQ(rows, height);
          EXPECT_EQ(written.size(), 10);
        }
      }
    }
  }
}

TEST(PiecesOfRank, CompleteTheStatisticsOfEveryImageOnEveryRank) {
  for (const std::int64_t rows : {4, 8, 100}) {
    const Cut cut{.by_rows = true, .rows = rows, .alignment = 4};
    for (std::int64_t rank = 0; rank < 8; ++rank) {
      std::int64_t completed = 0;
      bool complete = true;  // whether the image in hand has its statistics
      for (const Piece& piece : app::pieces_of_rank(three_files, cut, 41, 8, rank)) {
        if (piece.begins_statistics) complete = false;
        EXPECT_TRUE(complete || piece.sweep != Sweep::output);
        if (piece.completes_statistics) {
          EXPECT_FALSE(complete);
          complete = true;
          ++completed;
        }
      }
      EXPECT_EQ(completed, 10);
    }
  }
}

TEST(PiecesOfRank, SweepTwiceWhereTheRowsOfARankAreSeveralPieces) {
  const std::vector<FileImages> one{{0, {0, 1}}};
  const auto sweeps = [&](std::int64_t rows) {
    std::vector<Sweep> found;
    const Cut cut{.by_rows = true, .rows = rows, .alignment = 4};
    for (const Piece& piece : app::pieces_of_rank(one, cut, 16, 2, 1)) found.push_back(piece.sweep);
    return found;
  };
  EXPECT_EQ(sweeps(8), (std::vector<Sweep>{Sweep::both}));
  EXPECT_EQ(sweeps(4), (std::vector<Sweep>{Sweep::statistics, Sweep::statistics, Sweep::output,
                                           Sweep::output}));
}

TEST(PieceRegions, HaveTheHaloOfSplitImages) {
  Shape shape;
  shape.height = 20;
  shape.width = 9;
  shape.kernel_size = {3, 3};
  shape.padding = {1, 1};
  const Piece rows{.first_image = 2, .images = 1, .first_row = 4, .rows = 4, .split = true};
  const auto input = app::input_region(shape, rows);
  EXPECT_EQ(input.first_image, 2);
  EXPECT_EQ(input.first_row, 3);
  EXPECT_EQ(input.rows, 6);
  const auto output = app::output_region(rows);
  EXPECT_EQ(output.first_row, 4);
  EXPECT_EQ(output.rows, 4);
  const Piece none{.first_image = 2, .images = 1, .first_row = 20, .rows = 0, .split = true};
  EXPECT_EQ(app::input_region(shape, none).rows, 0);
  EXPECT_EQ(app::input_elements(shape, none), 0);
}

}  // namespace
}  // namespace fusedconv::test
