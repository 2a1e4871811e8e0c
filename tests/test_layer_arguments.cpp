// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <fusedconv/error.hpp>
#include <fusedconv/layer.hpp>
#include <string>
#include <utility>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "run_layer.hpp"

namespace fusedconv::test {
namespace {

template <class ExecutionSpace>
class LayerArgumentsTest : public testing::Test {};

TYPED_TEST_SUITE(LayerArgumentsTest, ExecutionSpaceTypes, ExecutionSpaceNames);

const Shape shape{.batch = 3,
                  .in_channels = 4,
                  .height = 9,
                  .width = 10,
                  .out_channels = 6,
                  .kernel_size = {3, 5},
                  .groups = 2,
                  .num_groups = 3};

/// The object that a call's InvalidArgument names, or "nothing thrown".
template <class Function>
std::string refused_object(Function function) {
  try {
    function();
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(error.what(),
              error.object() + ": expected " + error.expected() + ", found " + error.found());
    return error.object();
  }
  return "nothing thrown";
}

TYPED_TEST(LayerArgumentsTest, WrongExtentsOfInputAndOutputAreRefused) {
  using View = Tensor<TypeParam>;
  const TypeParam exec;
  const Layer<TypeParam> layer = make_layer(exec, random_problem(shape, 1), {});
  const auto refused = [&](const View& x, const View& y) {
    return refused_object([&] { layer(exec, x, y); });
  };
  const View x("x", 3, 4, 9, 10);
  const View y("y", 3, 6, 7, 6);
  EXPECT_EQ(refused(x, y), "nothing thrown");

  EXPECT_EQ(refused(View("x", 3, 5, 9, 10), y), "x");
  EXPECT_EQ(refused(View("x", 3, 4, 8, 10), y), "x");
  EXPECT_EQ(refused(View("x", 3, 4, 9, 11), y), "x");
  EXPECT_EQ(refused(View("x", 0, 4, 9, 10), y), "x");
  EXPECT_EQ(refused(View("x", 4, 4, 9, 10), View("y", 4, 6, 7, 6)), "x") << "more than the batch";
  EXPECT_EQ(refused(View("x", 0, 4, 9, 10), View("y", 0, 6, 7, 6)), "x") << "no image";
  EXPECT_EQ(refused(View(), y), "x");

  EXPECT_EQ(refused(x, View("y", 2, 6, 7, 6)), "y");
  EXPECT_EQ(refused(x, View("y", 3, 5, 7, 6)), "y");
  EXPECT_EQ(refused(x, View("y", 3, 6, 8, 6)), "y");
  EXPECT_EQ(refused(x, View("y", 3, 6, 7, 5)), "y");
  EXPECT_EQ(refused(x, View()), "y");
  exec.fence("fusedconv::test: end of runs");
}

TYPED_TEST(LayerArgumentsTest, MessageSaysWhatWasExpectedAndFound) {
  using View = Tensor<TypeParam>;
  const TypeParam exec;
  const Layer<TypeParam> layer = make_layer(exec, random_problem(shape, 1), {});
  try {
    layer(exec, View("x", 2, 4, 9, 10), View("y", 2, 6, 7, 99));
    FAIL() << "nothing thrown";
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(error.object(), "y");
    EXPECT_NE(error.expected().find("(2, 6, 7, 6)"), std::string::npos) << error.what();
    EXPECT_NE(error.found().find("(2, 6, 7, 99)"), std::string::npos) << error.what();
  }
}

TYPED_TEST(LayerArgumentsTest, ViewsWithGapsAreRefused) {
  using View = Tensor<TypeParam>;
  const TypeParam exec;
  Shape wide = shape;  // Kokkos pads rows that are long enough
  wide.width = 70;
  const Layer<TypeParam> layer = make_layer(exec, random_problem(wide, 1), {});
  const View x("x", 3, 4, 9, 70);
  const View y("y", 3, 6, 7, 66);
  const View padded_x(Kokkos::view_alloc("x", Kokkos::AllowPadding), 3, 4, 9, 70);
  const View padded_y(Kokkos::view_alloc("y", Kokkos::AllowPadding), 3, 6, 7, 66);
  ASSERT_FALSE(padded_x.span_is_contiguous());
  ASSERT_FALSE(padded_y.span_is_contiguous());
  EXPECT_EQ(refused_object([&] { layer(exec, padded_x, y); }), "x");
  EXPECT_EQ(refused_object([&] { layer(exec, x, padded_y); }), "y");
}

TYPED_TEST(LayerArgumentsTest, ViewsOfOtherStridesAreRefusedInWords) {
  using Strided = Kokkos::View<float****, Kokkos::LayoutStride, typename TypeParam::memory_space>;
  const TypeParam exec;
  const Layer<TypeParam> layer = make_layer(exec, random_problem(shape, 1), {});
  const Tensor<TypeParam> y("y", 3, 6, 7, 6);
  const auto message = [&](const Kokkos::LayoutStride& layout) {
    try {
      layer(exec, Strided("x", layout), y);
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
    return std::string("nothing thrown");
  };
  EXPECT_EQ(message(Kokkos::LayoutStride(3, 360, 4, 1, 9, 40, 10, 4)),
            "x: expected a View without gaps, of strides (360, 90, 10, 1), found strides (360, 1, "
            "40, 4), channels last: copy it to a View of LayoutRight (N, C, H, W)");
  EXPECT_EQ(message(Kokkos::LayoutStride(3, 400, 4, 100, 9, 11, 10, 1)),
            "x: expected a View without gaps, of strides (360, 90, 10, 1), found strides (400, "
            "100, 11, 1): copy it to a View of LayoutRight that is not padded");
  EXPECT_EQ(message(Kokkos::LayoutStride(3, 360, 4, 90, 9, 10, 10, 1)), "nothing thrown");
  exec.fence("fusedconv::test: end of runs");
}

TYPED_TEST(LayerArgumentsTest, WrongExtentsOfParametersAreRefused) {
  using MemorySpace = typename TypeParam::memory_space;
  using Vector = Kokkos::View<float*, Kokkos::LayoutRight, MemorySpace>;
  using Weight = Kokkos::View<float****, Kokkos::LayoutRight, MemorySpace>;
  const Parameters<MemorySpace> right = device_parameters<MemorySpace>(random_problem(shape, 1));
  const auto refused = [&](const Parameters<MemorySpace>& parameters) {
    return refused_object([&] { const Layer<TypeParam> layer(TypeParam(), shape, parameters); });
  };
  EXPECT_EQ(refused(right), "nothing thrown");

  for (const Weight& weight : {Weight(), Weight("w", 5, 2, 3, 5), Weight("w", 6, 4, 3, 5),
                               Weight("w", 6, 2, 5, 3), Weight("w", 6, 2, 3, 4)}) {
    Parameters<MemorySpace> wrong = right;
    wrong.conv_weight = weight;
    EXPECT_EQ(refused(wrong), "conv.weight");
  }
  using Member = typename Parameters<MemorySpace>::Vector Parameters<MemorySpace>::*;
  const std::vector<std::pair<std::string, Member>> vectors{
      {"conv.bias", &Parameters<MemorySpace>::conv_bias},
      {"bias", &Parameters<MemorySpace>::bias},
      {"scale", &Parameters<MemorySpace>::scale},
      {"group_norm.weight", &Parameters<MemorySpace>::group_norm_weight},
      {"group_norm.bias", &Parameters<MemorySpace>::group_norm_bias}};
  for (const auto& [name, member] : vectors) {
    for (const std::size_t extent : {1, 5, 7}) {
      Parameters<MemorySpace> wrong = right;
      wrong.*member = Vector("vector", extent);
      EXPECT_EQ(refused(wrong), name);
    }
  }
}

TYPED_TEST(LayerArgumentsTest, WrongShapesAreRefused) {
  using MemorySpace = typename TypeParam::memory_space;
  const Parameters<MemorySpace> parameters =
      device_parameters<MemorySpace>(random_problem(shape, 1));
  Shape wrong = shape;
  wrong.num_groups = 4;
  EXPECT_EQ(refused_object([&] { const Layer<TypeParam> layer(TypeParam(), wrong, parameters); }),
            "group_norm.num_groups");
  EXPECT_EQ(refused_object([&] { Layer<TypeParam>::plan(wrong); }), "group_norm.num_groups");
  EXPECT_EQ(refused_object([&] { Layer<TypeParam>::plan(shape.with_batch(0)); }),
            "input number of images");
}

TYPED_TEST(LayerArgumentsTest, AlgorithmsThatTheBuildLacksAreRefused) {
  for (const Algorithm algorithm : {Algorithm::direct, Algorithm::gemm}) {
    const Options options{.algorithm = algorithm};
    EXPECT_EQ(refused_object([&] { Layer<TypeParam>::plan(shape, options); }),
              is_available(algorithm) ? "nothing thrown" : "algorithm");
  }
}

TYPED_TEST(LayerArgumentsTest, WinogradIsRefusedWhereItDoesNotApply) {
  constexpr bool on_host =
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename TypeParam::memory_space>::accessible;
  const auto refused = [](const Shape& candidate) {
    return refused_object(
        [&] { Layer<TypeParam>::plan(candidate, {.algorithm = Algorithm::winograd}); });
  };
  Shape fits{.height = 9, .width = 9, .kernel_size = {3, 4}, .stride = {1, 2}, .dilation = {1, 2}};
  EXPECT_EQ(refused(fits), on_host ? "nothing thrown" : "algorithm");
  Shape wrong = fits;
  wrong.kernel_size = {4, 4};
  EXPECT_EQ(refused(wrong), "algorithm");
  wrong = fits;
  wrong.stride = {2, 1};
  EXPECT_EQ(refused(wrong), "algorithm");
  wrong = fits;
  wrong.dilation = {2, 1};
  EXPECT_EQ(refused(wrong), "algorithm");
}

}  // namespace
}  // namespace fusedconv::test
