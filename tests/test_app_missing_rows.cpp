// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "missing_rows.hpp"

namespace fusedconv::test {
namespace {

using app::complete_images;
using app::missing_rows;
using app::hdf5::Region;
using Parts = std::vector<Region>;

TEST(MissingRows, AreAllWhereNothingIsComplete) {
  EXPECT_EQ(missing_rows(3, 5, {}), (Parts{{0, 3, 0, 5}}));
  EXPECT_EQ(complete_images(3, {{0, 3, 0, 5}}), 0);
}

TEST(MissingRows, AreNoneWhereEverythingIsComplete) {
  EXPECT_EQ(missing_rows(3, 5, {{1, 2, 0, 5}, {0, 1, 2, 3}, {0, 1, 0, 2}}), Parts{});
  EXPECT_EQ(complete_images(3, {}), 3);
}

TEST(MissingRows, KeepPartsOfAnImageApartFromWholeImages) {
  EXPECT_EQ(
      missing_rows(6, 5, {{1, 1, 2, 1}, {4, 1, 0, 3}}),
      (Parts{{0, 1, 0, 5}, {1, 1, 0, 2}, {1, 1, 3, 2}, {2, 2, 0, 5}, {4, 1, 3, 2}, {5, 1, 0, 5}}));
  EXPECT_EQ(complete_images(6, missing_rows(6, 5, {{1, 1, 2, 1}, {3, 1, 0, 5}})), 1);
}

TEST(MissingRows, HoldWhateverNumbersARecordHas) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(missing_rows(3, 5, {{most, most, 0, 5}, {0, 3, most, most}, {least, least, 0, 5}}),
            (Parts{{0, 3, 0, 5}}));
  EXPECT_EQ(missing_rows(3, 5, {{1, most, 0, most}, {0, 1, least, least}, {0, least, 0, 5}}),
            (Parts{{0, 1, 0, 5}}));
}

TEST(MissingRows, AreWhatNoPartCoversWhateverTheOrderAndOverlap) {
  std::mt19937 random(3);
  const auto below = [&](std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(0, most)(random);
  };
  for (int trial = 0; trial < 200; ++trial) {
    const std::int64_t images = 1 + below(6);
    const std::int64_t rows = 1 + below(6);
    std::vector<bool> there(static_cast<std::size_t>(images * rows));
    Parts complete;
    for (std::int64_t part = below(8); part > 0; --part) {
      // Some of it outside the output.
      const Region rows_of_part{below(images + 1) - 1, below(3), below(rows + 1) - 1,
                                below(rows + 1)};
      complete.push_back(rows_of_part);
      for (std::int64_t image = 0; image < images; ++image) {
        for (std::int64_t row = 0; row < rows; ++row) {
          const bool inside = image >= rows_of_part.first_image &&
                              image < rows_of_part.first_image + rows_of_part.images &&
                              row >= rows_of_part.first_row &&
                              row < rows_of_part.first_row + rows_of_part.rows;
          if (inside) there[static_cast<std::size_t>(image * rows + row)] = true;
        }
      }
    }
    const Parts missing = missing_rows(images, rows, complete);
    std::vector<bool> found(there.size(), true);
    std::int64_t before = -1;
    for (const Region& part : missing) {
      EXPECT_GT(part.images * part.rows, 0);
      EXPECT_TRUE(part.rows == rows || part.images == 1);
      for (std::int64_t image = part.first_image; image < part.first_image + part.images; ++image) {
        for (std::int64_t row = part.first_row; row < part.first_row + part.rows; ++row) {
          EXPECT_GT(image * rows + row, before);
          before = image * rows + row;
          found[static_cast<std::size_t>(before)] = false;
        }
      }
    }
    EXPECT_EQ(found, there);
    std::int64_t whole = 0;
    for (std::int64_t image = 0; image < images; ++image) {
      bool all = true;
      for (std::int64_t row = 0; row < rows; ++row) {
        all = all && there[static_cast<std::size_t>(image * rows + row)];
      }
      whole += all ? 1 : 0;
    }
    EXPECT_EQ(complete_images(images, missing), whole);
  }
}

}  // namespace
}  // namespace fusedconv::test
