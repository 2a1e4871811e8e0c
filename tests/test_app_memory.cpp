// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>

#include "memory.hpp"

namespace fusedconv::test {
namespace {

using app::chunk_memory;
using app::chunk_that_fits;

Shape shape_of(std::int64_t batch) {
  Shape shape;
  shape.batch = batch;
  shape.in_channels = 2;
  shape.height = 10;
  shape.width = 10;
  shape.out_channels = 3;
  return shape;
}

TEST(ChunkMemory, HasImagesOnTheHostAndOnADevice) {
  const app::MemoryBytes host = chunk_memory(shape_of(4), 100, false);
  EXPECT_EQ(host.host, 4 * 500 * 4 + 100);
  EXPECT_EQ(host.device, 0);
  const app::MemoryBytes device = chunk_memory(shape_of(4), 100, true);
  EXPECT_EQ(device.host, 4 * 500 * 4);
  EXPECT_EQ(device.device, 4 * 500 * 4 + 100);
}

TEST(ChunkThatFits, StaysWithinEachMemory) {
  EXPECT_EQ(chunk_that_fits({10, 0}, 1000, {105, 0}), 10);
  EXPECT_EQ(chunk_that_fits({10, 20}, 1000, {105, 100}), 5);
  EXPECT_EQ(chunk_that_fits({10, 20}, 1000, {30, 1000}), 3);
}

TEST(ChunkThatFits, IsNoMoreThanThereAreImages) {
  EXPECT_EQ(chunk_that_fits({10, 0}, 7, {1000, 0}), 7);
}

TEST(ChunkThatFits, IsOneImageAtLeast) {
  EXPECT_EQ(chunk_that_fits({10, 0}, 7, {9, 0}), 1);
  EXPECT_EQ(chunk_that_fits({10, 0}, 0, {100, 0}), 1);
}

TEST(ChunkThatFits, IsBoundedHoweverMuchIsFree) {
  EXPECT_EQ(chunk_that_fits({std::int64_t{1} << 20, 0}, 1000, {std::int64_t{1} << 50, 0}), 256);
}

TEST(BytesText, ChoosesTheUnit) {
  EXPECT_EQ(app::bytes_text(0), "0 B");
  EXPECT_EQ(app::bytes_text(1023), "1023 B");
  EXPECT_EQ(app::bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(app::bytes_text(std::int64_t{3} << 40), "3.0 TiB");
}

}  // namespace
}  // namespace fusedconv::test
