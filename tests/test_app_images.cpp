// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "hdf5/handle.hpp"
#include "hdf5/images.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace hdf5 = app::hdf5;
using Sizes = std::vector<std::int64_t>;

/// Row-major index of every element of some blocks, in their order.
std::vector<std::int64_t> indices(const std::vector<hdf5::Block>& blocks, const Sizes& extents) {
  std::vector<std::int64_t> all;
  for (const hdf5::Block& block : blocks) {
    EXPECT_EQ(block.offset, static_cast<std::int64_t>(all.size()));
    for (std::int64_t n = 0; n < block.count[0]; ++n) {
      for (std::int64_t c = 0; c < block.count[1]; ++c) {
        for (std::int64_t h = 0; h < block.count[2]; ++h) {
          for (std::int64_t w = 0; w < block.count[3]; ++w) {
            all.push_back((((block.start[0] + n) * extents[1] + block.start[1] + c) * extents[2] +
                           block.start[2] + h) *
                              extents[3] +
                          block.start[3] + w);
          }
        }
      }
    }
    EXPECT_EQ(block.offset + block.size, static_cast<std::int64_t>(all.size()));
  }
  return all;
}

TEST(BlocksOfImages, CoverTheImagesInOrderWhateverTheirSize) {
  const Sizes extents{5, 3, 4, 7};
  const std::int64_t image = 3 * 4 * 7;
  for (const std::int64_t most : {1, 2, 6, 7, 13, 14, 27, 28, 29, 83, 84, 85, 168, 1000}) {
    const std::vector<hdf5::Block> blocks = hdf5::blocks_of_images(extents, 1, 3, most);
    std::vector<std::int64_t> expected(static_cast<std::size_t>(3 * image));
    std::iota(expected.begin(), expected.end(), image);
    EXPECT_EQ(indices(blocks, extents), expected) << most;
    for (const hdf5::Block& block : blocks) EXPECT_LE(block.size, most);
  }
}

TEST(BlocksOfImages, AreNoneForNoImages) {
  EXPECT_TRUE(hdf5::blocks_of_images({5, 3, 4, 7}, 5, 0).empty());
}

TEST(BlocksOfImages, StayBelowTwoGibibytesForTheWidestType) {
  const Sizes extents{3, 32, 8192, 8192};
  std::int64_t elements = 0;
  for (const hdf5::Block& block : hdf5::blocks_of_images(extents, 0, 3)) {
    EXPECT_LT(block.size * 16, std::int64_t{1} << 31);
    elements += block.size;
  }
  EXPECT_EQ(elements, 3LL * 32 * 8192 * 8192);
}

TEST(BlocksOfARegion, AreRowsOfAllChannels) {
  const Sizes extents{5, 3, 8, 7};
  const hdf5::Region region{2, 1, 3, 4};
  std::vector<std::int64_t> expected;
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t i = 3 * 7; i < 7 * 7; ++i) expected.push_back((2 * 3 + c) * 8 * 7 + i);
  }
  for (const std::int64_t most : {1, 6, 7, 13, 14, 27, 28, 29, 83, 84, 1000}) {
    const std::vector<hdf5::Block> blocks = hdf5::blocks_of(extents, region, most);
    EXPECT_EQ(indices(blocks, extents), expected) << most;
    for (const hdf5::Block& block : blocks) EXPECT_LE(block.size, most);
  }
}

TEST(BlocksOfARegion, AreNoneWhereThereAreNoRows) {
  EXPECT_TRUE(hdf5::blocks_of({5, 3, 8, 7}, {2, 1, 8, 0}).empty());
}

TEST(Images, AreReadAsTheyWereWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("images.h5");
  const std::vector<float> written = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  {
    hdf5::File file = hdf5::File::create(path);
    hdf5::Dataset dataset = hdf5::Dataset::create(file, "images", H5T_IEEE_F64BE,
                                                  hdf5::Dataspace::simple({3, 1, 2, 2}));
    hdf5::write_region(dataset, {0, 1, 0, 2}, written.data());
    hdf5::write_region(dataset, {1, 2, 0, 2}, written.data() + 4);
  }
  const hdf5::File file = hdf5::File::open_read_only(path);
  const hdf5::Dataset dataset = hdf5::Dataset::open(file, "images");
  std::vector<float> read(8);
  hdf5::read_region(dataset, {1, 2, 0, 2}, read.data());
  EXPECT_EQ(read, std::vector<float>(written.begin() + 4, written.end()));
}

TEST(Handle, TellsTheObjectAndTheReasonOfAFailure) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("none.h5");
  try {
    hdf5::File::open_read_only(path);
    FAIL() << "opened a file that is not there";
  } catch (const hdf5::Error& error) {
    EXPECT_EQ(error.object(), path);
    EXPECT_NE(error.reason().find("No such file or directory"), std::string::npos)
        << error.reason();
    EXPECT_EQ(std::string(error.what()), path + ": could not open: " + error.reason());
  }
}

}  // namespace
}  // namespace fusedconv::test
