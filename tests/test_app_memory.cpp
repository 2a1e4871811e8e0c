// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fusedconv/error.hpp>
#include <string>

#include "memory.hpp"

namespace fusedconv::test {
namespace {

constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
constexpr std::int64_t plenty = std::int64_t{1} << 50;

/// Images of 2 MiB of input and 8 MiB of output, but for what a kernel takes off.
Shape shape_of(std::int64_t images) {
  Shape shape;
  shape.batch = images;
  shape.in_channels = 8;
  shape.height = 256;
  shape.width = 256;
  shape.out_channels = 32;
  shape.kernel_size = {3, 3};
  return shape;
}

app::LayerMemory layer_memory() {
  return {.on_device = false,
          .workspace_bytes = [](std::int64_t images) { return mebibyte + images * 1000; },
          .parameter_bytes = 5000,
          .row_alignment = 4,
          .statistics_words = 100};
}

app::MemoryLimit within(std::int64_t host, std::int64_t device = plenty) {
  return {.wanted = {host, device},
          .available = {plenty, plenty},
          .host_is_demanded = true,
          .device_is_demanded = true};
}

/// What the pieces of a plan take, from their extents alone.
std::int64_t buffer_bytes(const Shape& shape, const app::PiecePlan& plan) {
  const std::int64_t rows = plan.cut.by_rows ? plan.cut.rows : shape.output_height();
  const std::int64_t images = plan.cut.by_rows ? 1 : plan.cut.images;
  const std::int64_t input_rows =
      plan.cut.by_rows ? std::min(shape.height, rows + 2) : shape.height;
  return 4 * images * plan.buffers.count *
         (shape.in_channels * input_rows * shape.width +
          shape.out_channels * rows * shape.output_width());
}

TEST(PiecePlan, StaysWithinTheMemoryHoweverManyImagesThereAre) {
  for (const std::int64_t images : {1, 3, 100, 1 << 30}) {
    for (const std::int64_t ranks : {1, 2, 8}) {
      for (const std::int64_t limit : {2, 3, 5, 11, 22, 50, 100, 1000}) {
        const Shape shape = shape_of(images);
        const app::PiecePlan plan =
            app::plan_pieces(shape, ranks, 0, layer_memory(), within(limit * mebibyte));
        EXPECT_LE(plan.memory.host, limit * mebibyte);
        EXPECT_GE(plan.memory.host, buffer_bytes(shape, plan) + mebibyte + 5000);
        EXPECT_EQ(plan.memory.device, 0);
        EXPECT_TRUE(!plan.cut.by_rows || plan.cut.rows % 4 == 0 || plan.cut.rows == 254);
      }
    }
  }
}

TEST(PiecePlan, TakesTheMostImagesThatFit) {
  // Two buffers each of 2 + 32 * 254^2 * 4 / 2^20 = 9.875 MiB an image.
  app::LayerMemory layer = layer_memory();
  layer.on_device = true;
  const auto images_within = [&](std::int64_t limit) {
    const app::PiecePlan plan =
        app::plan_pieces(shape_of(1000), 1, 0, layer, within(plenty, limit * mebibyte));
    EXPECT_FALSE(plan.cut.by_rows);
    return plan.cut.images;
  };
  EXPECT_EQ(images_within(22), 1);
  EXPECT_EQ(images_within(41), 2);
  EXPECT_EQ(images_within(61), 3);
}

TEST(PiecePlan, TakesNoLargePiecesHoweverMuchIsFree) {
  app::LayerMemory layer = layer_memory();
  for (const bool on_device : {false, true}) {
    layer.on_device = on_device;
    Shape shape = shape_of(1000);
    shape.height = 64;
    const app::PiecePlan plan = app::plan_pieces(shape, 1, 0, layer, within(plenty));
    EXPECT_GT(plan.cut.images, 1);
    EXPECT_LE(buffer_bytes(shape, plan), 2 * app::most_bytes_of_a_piece(on_device));
    const app::PiecePlan one_more =
        app::plan_pieces(shape, 1, plan.cut.images + 1, layer, within(plenty));
    EXPECT_GT(buffer_bytes(shape, one_more), 2 * app::most_bytes_of_a_piece(on_device));
  }
}

TEST(PiecePlan, SplitsImagesWhereThereAreFewerThanRanks) {
  EXPECT_FALSE(app::plan_pieces(shape_of(4), 4, 0, layer_memory(), within(plenty)).cut.by_rows);
  const app::PiecePlan plan = app::plan_pieces(shape_of(3), 4, 0, layer_memory(), within(plenty));
  EXPECT_TRUE(plan.cut.by_rows);
  EXPECT_EQ(plan.cut.rows, 64);  // 64 blocks of 4 rows, 16 for each rank
  EXPECT_EQ(plan.statistics_words, 100);
}

TEST(PiecePlan, SplitsImagesThatDoNotFit) {
  const app::PiecePlan host =
      app::plan_pieces(shape_of(10), 1, 0, layer_memory(), within(8 * mebibyte));
  EXPECT_TRUE(host.cut.by_rows);
  EXPECT_LT(host.cut.rows, 254);
  app::LayerMemory layer = layer_memory();
  layer.on_device = true;
  const app::PiecePlan device =
      app::plan_pieces(shape_of(10), 1, 0, layer, within(plenty, 8 * mebibyte));
  EXPECT_TRUE(device.cut.by_rows);
  EXPECT_LE(device.memory.device, 8 * mebibyte);
  EXPECT_GE(device.memory.device, buffer_bytes(shape_of(10), device) + mebibyte);
}

TEST(PiecePlan, KeepsImagesWholeWhereTheAlgorithmCannotSplitThem) {
  app::LayerMemory layer = layer_memory();
  layer.row_alignment = 0;
  EXPECT_FALSE(app::plan_pieces(shape_of(3), 8, 0, layer, within(plenty)).cut.by_rows);
  EXPECT_THROW(app::plan_pieces(shape_of(100), 8, 0, layer, within(8 * mebibyte)), InvalidArgument);
}

TEST(PiecePlan, TakesAsManyImagesAsItIsTold) {
  const app::PiecePlan plan =
      app::plan_pieces(shape_of(10), 2, 3, layer_memory(), within(mebibyte));
  EXPECT_FALSE(plan.cut.by_rows);
  EXPECT_EQ(plan.cut.images, 3);
  EXPECT_EQ(app::plan_pieces(shape_of(10), 2, 9, layer_memory(), within(plenty)).cut.images, 5);
}

TEST(PiecePlan, HasOneBufferForOnePiece) {
  EXPECT_EQ(app::plan_pieces(shape_of(1), 1, 0, layer_memory(), within(plenty)).buffers.count, 1);
  EXPECT_EQ(app::plan_pieces(shape_of(2), 1, 1, layer_memory(), within(plenty)).buffers.count, 2);
}

TEST(PiecePlan, SaysWhatTheSmallestPieceTakes) {
  try {
    app::plan_pieces(shape_of(10), 1, 0, layer_memory(), within(mebibyte));
    FAIL() << "took more than it was given";
  } catch (const InvalidArgument& error) {
    // Four rows of output and six of input, twice; workspace, parameters and statistics.
    const std::int64_t bytes =
        2 * 4 * (8 * 6 * 256 + 32 * 4 * 254) + (mebibyte + 1000) + 5000 + 3 * 100 * 8;
    EXPECT_EQ(std::string(error.what()),
              "--memory: expected at least " + std::to_string(bytes) +
                  " bytes, which the smallest piece of this layer takes, found 1048576");
  }
}

TEST(PiecePlan, TakesMoreThanItsShareIfItMustButNotMoreThanThereIs) {
  app::MemoryLimit limit = within(mebibyte);
  limit.host_is_demanded = false;
  EXPECT_EQ(app::plan_pieces(shape_of(10), 1, 0, layer_memory(), limit).cut.rows, 4);
  limit.available.host = mebibyte;
  try {
    app::plan_pieces(shape_of(10), 1, 0, layer_memory(), limit);
    FAIL() << "took more than there is";
  } catch (const OutOfMemory& error) {
    EXPECT_GT(error.requested_bytes(), mebibyte);
    EXPECT_LT(error.requested_bytes(), 2 * mebibyte);
  }
  EXPECT_THROW(app::plan_pieces(shape_of(10), 1, 2, layer_memory(), limit), OutOfMemory);
}

TEST(BytesText, ChoosesTheUnit) {
  EXPECT_EQ(app::bytes_text(0), "0 B");
  EXPECT_EQ(app::bytes_text(1023), "1023 B");
  EXPECT_EQ(app::bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(app::bytes_text(std::int64_t{3} << 40), "3.0 TiB");
}

}  // namespace
}  // namespace fusedconv::test
