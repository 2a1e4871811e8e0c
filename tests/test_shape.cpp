// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <fusedconv/error.hpp>
#include <fusedconv/shape.hpp>
#include <limits>
#include <string>
#include <vector>

namespace fusedconv {
namespace {

const Shape right{.batch = 2,
                  .in_channels = 6,
                  .height = 20,
                  .width = 30,
                  .out_channels = 12,
                  .kernel_size = {3, 5},
                  .stride = {2, 1},
                  .padding = {1, 2},
                  .dilation = {1, 3},
                  .groups = 3,
                  .num_groups = 4};

TEST(Shape, RightShapesAreAccepted) {
  EXPECT_NO_THROW(right.validate());
  EXPECT_NO_THROW(Shape{}.validate());
}

struct Wrong {
  std::string object;
  std::function<void(Shape&)> change;
};

TEST(Shape, EveryWrongMemberIsNamed) {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::vector<Wrong> cases;
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, least, most}) {
    cases.push_back({"input number of images", [=](Shape& s) { s.batch = value; }});
    cases.push_back({"input channels", [=](Shape& s) { s.in_channels = value; }});
    cases.push_back({"input height", [=](Shape& s) { s.height = value; }});
    cases.push_back({"input width", [=](Shape& s) { s.width = value; }});
    cases.push_back({"conv.weight output channels", [=](Shape& s) { s.out_channels = value; }});
    for (int axis = 0; axis < 2; ++axis) {
      cases.push_back({"conv.weight kernel size", [=](Shape& s) { s.kernel_size[axis] = value; }});
      cases.push_back({"conv.stride", [=](Shape& s) { s.stride[axis] = value; }});
      cases.push_back({"conv.dilation", [=](Shape& s) { s.dilation[axis] = value; }});
      if (value != 0) {
        cases.push_back({"conv.padding", [=](Shape& s) { s.padding[axis] = value; }});
      }
    }
    cases.push_back({"conv.groups", [=](Shape& s) { s.groups = value; }});
    cases.push_back({"group_norm.num_groups", [=](Shape& s) { s.num_groups = value; }});
  }
  for (const double eps : {0.0, -1e-5, std::nan(""), std::numeric_limits<double>::infinity()}) {
    cases.push_back({"group_norm.eps", [=](Shape& s) { s.eps = eps; }});
  }
  cases.push_back({"activation", [](Shape& s) { s.activation = static_cast<Activation>(100); }});
  // Divisors: of the input channels but not the output's, the other way round, of neither.
  cases.push_back({"conv.groups", [](Shape& s) { s.groups = 2, s.out_channels = 9; }});
  cases.push_back({"conv.groups", [](Shape& s) { s.groups = 4; }});
  cases.push_back({"conv.groups", [](Shape& s) { s.groups = 5; }});
  cases.push_back({"group_norm.num_groups", [](Shape& s) { s.num_groups = 5; }});
  cases.push_back({"group_norm.num_groups", [](Shape& s) { s.num_groups = 24; }});
  // Kernels larger than the padded input: nothing to compute.
  cases.push_back({"conv.weight", [](Shape& s) { s.kernel_size[0] = 23; }});
  cases.push_back({"conv.weight", [](Shape& s) { s.dilation[1] = 9; }});
  // Coordinates beyond 32 bits.
  cases.push_back({"padded input height", [](Shape& s) { s.padding[0] = 1 << 30; }});
  cases.push_back({"padded input width", [](Shape& s) { s.width = 1 << 30; }});
  // Counts of elements beyond 64 bits.
  cases.push_back({"input", [](Shape& s) {
                     s.batch = 1 << 30;
                     s.height = s.width = 1 << 29;
                   }});
  cases.push_back({"conv.weight", [](Shape& s) {
                     s.in_channels = s.out_channels = 3 << 28;
                     s.height = s.width = s.kernel_size[0] = s.kernel_size[1] = 1 << 10;
                     s.dilation = {1, 1};
                   }});
  cases.push_back({"output", [](Shape& s) {
                     s.batch = 1 << 30;
                     s.padding[0] = s.padding[1] = 1 << 28;
                   }});

  for (std::size_t index = 0; index < cases.size(); ++index) {
    Shape shape = right;
    cases[index].change(shape);
    try {
      shape.validate();
      ADD_FAILURE() << "case " << index << ", " << cases[index].object << ": nothing thrown";
    } catch (const InvalidArgument& error) {
      EXPECT_EQ(error.object(), cases[index].object) << "case " << index << ": " << error.what();
      EXPECT_FALSE(error.found().empty());
      EXPECT_EQ(error.what(),
                error.object() + ": expected " + error.expected() + ", found " + error.found());
    }
  }
}

// torch.nn.Conv2d's formula, values worked by hand.
TEST(Shape, OutputExtents) {
  EXPECT_EQ(right.output_height(), 10);  // floor((20 + 2 - 2 - 1) / 2) + 1
  EXPECT_EQ(right.output_width(), 22);   // floor((30 + 4 - 12 - 1) / 1) + 1
  EXPECT_EQ(Shape{}.output_height(), 1);
  const Shape headline{.height = 256, .width = 256, .kernel_size = {3, 3}};
  EXPECT_EQ(headline.output_height(), 254);
  const Shape skips_the_rest{.width = 9, .kernel_size = {1, 2}, .stride = {1, 4}};
  EXPECT_EQ(skips_the_rest.output_width(), 2);
  const Shape kernel_of_the_whole_input{.height = 7, .kernel_size = {4, 1}, .dilation = {2, 1}};
  EXPECT_EQ(kernel_of_the_whole_input.output_height(), 1);
}

TEST(Shape, Counts) {
  EXPECT_EQ(right.in_channels_per_group(), 2);
  EXPECT_EQ(right.out_channels_per_group(), 4);
  EXPECT_EQ(right.channels_per_norm_group(), 3);
  EXPECT_EQ(right.kernel_area(), 15);
  EXPECT_EQ(right.output_area(), 220);
  EXPECT_EQ(right.input_size(), 7200);
  EXPECT_EQ(right.output_size(), 5280);
  EXPECT_EQ(right.weight_size(), 360);
  EXPECT_EQ(right.flops(), 316800.0);  // 2 * 5280 outputs * 30 terms
  EXPECT_EQ(right.with_batch(5).output_size(), 13200);
}

TEST(Shape, CountsBeyond32Bits) {
  const Shape large{.batch = 1 << 20,
                    .in_channels = 64,
                    .height = 1 << 10,
                    .width = 1 << 10,
                    .out_channels = 128,
                    .num_groups = 8};
  EXPECT_NO_THROW(large.validate());
  EXPECT_EQ(large.input_size(), std::int64_t{1} << 46);
  EXPECT_EQ(large.output_size(), std::int64_t{1} << 47);
  EXPECT_EQ(large.flops(), 0x1p54);
}

TEST(Shape, OneLineInWords) {
  const Shape headline{.batch = 128,
                       .in_channels = 8,
                       .height = 256,
                       .width = 256,
                       .out_channels = 32,
                       .kernel_size = {3, 3},
                       .num_groups = 8};
  EXPECT_EQ(to_string(headline), "128x8x256x256 -> 128x32x254x254, kernel 3x3, 8 groups");
  Shape silu = headline;
  silu.activation = Activation::silu;
  EXPECT_EQ(to_string(silu), "128x8x256x256 -> 128x32x254x254, kernel 3x3, 8 groups, silu");
  const std::string words = to_string(right);
  for (const char* part : {"2x6x20x30", "2x12x10x22", "kernel 3x5", "stride 2x1", "padding 1x2",
                           "dilation 1x3", "3 channel groups", "4 groups"}) {
    EXPECT_NE(words.find(part), std::string::npos) << part << " is not in: " << words;
  }
}

}  // namespace
}  // namespace fusedconv
