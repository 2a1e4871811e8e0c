// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fusedconv/layer.hpp>
#include <limits>
#include <string>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "reference.hpp"
#include "rounding.hpp"
#include "run_layer.hpp"
#include "same_bits.hpp"
#include "shapes.hpp"

namespace fusedconv::test {
namespace {

template <class ExecutionSpace>
class LayerTest : public testing::Test {};

TYPED_TEST_SUITE(LayerTest, ExecutionSpaceTypes, ExecutionSpaceNames);

/// Every algorithm of this build, on one problem, against the reference.
template <class ExecutionSpace>
void expect_float32_accurate(const Problem& problem) {
  const std::vector<double> expected = reference(problem);
  const double tolerance = float32_tolerance(problem);
  for (const Algorithm algorithm : available_algorithms<ExecutionSpace>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const std::vector<float> y = run_layer(ExecutionSpace(), problem, {.algorithm = algorithm});
    ASSERT_EQ(y.size(), expected.size());
    EXPECT_LE(l2_distance(y, expected), tolerance);
  }
}

TYPED_TEST(LayerTest, MatchesTheReference) {
  std::uint64_t seed = 0;
  for (const auto& [name, shape] : shape_grid) {
    SCOPED_TRACE(name);
    expect_float32_accurate<TypeParam>(random_problem(shape, ++seed));
  }
}

TYPED_TEST(LayerTest, EveryActivationMatchesTheReference) {
  for (const Activation activation : all_activations) {
    if (activation == Activation::sigmoid) continue;
    SCOPED_TRACE(to_string(activation));
    std::uint64_t seed = 0;
    for (const auto& [name, shape_of_grid] : shape_grid) {
      SCOPED_TRACE(name);
      // A sixth of the grid for each, and all of it among them.
      if ((++seed + static_cast<std::uint64_t>(activation)) % 6 != 0) continue;
      Shape shape = shape_of_grid;
      shape.activation = activation;
      expect_float32_accurate<TypeParam>(random_problem(shape, seed));
    }
  }
}

TYPED_TEST(LayerTest, AbsentParametersHaveTheirDefaults) {
  const Shape shape{.batch = 2,
                    .in_channels = 3,
                    .height = 9,
                    .width = 10,
                    .out_channels = 4,
                    .kernel_size = {3, 3},
                    .num_groups = 2};
  const Problem whole = random_problem(shape, 1);
  Problem bare = whole;
  for (const auto parameter : {&Problem::conv_bias, &Problem::bias, &Problem::scale,
                               &Problem::group_norm_weight, &Problem::group_norm_bias}) {
    Problem problem = whole;
    (problem.*parameter).clear();
    expect_float32_accurate<TypeParam>(problem);
    (bare.*parameter).clear();
  }
  expect_float32_accurate<TypeParam>(bare);
}

/// A shape with several tiles on every backend, the last of them cut.
Shape several_tiles(std::int64_t num_groups) {
  return {.batch = 2,
          .in_channels = 3,
          .height = 71,
          .width = 83,
          .out_channels = 6,
          .kernel_size = {3, 3},
          .num_groups = num_groups};
}

template <class ExecutionSpace>
void expect_group_norm_bias(const Problem& problem) {
  const Shape& shape = problem.shape;
  std::vector<float> expected;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (const float value : problem.group_norm_bias) {
      expected.insert(expected.end(), static_cast<std::size_t>(shape.output_area()), value);
    }
  }
  for (const Algorithm algorithm : available_algorithms<ExecutionSpace>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    EXPECT_EQ(run_layer(ExecutionSpace(), problem, {.algorithm = algorithm}), expected);
  }
}

TYPED_TEST(LayerTest, ZeroVarianceOfZeroWeightsGivesGroupNormBias) {
  Shape large = large_images.front().shape;
  large.num_groups = large.out_channels;
  for (const Shape& shape : {several_tiles(6), large}) {
    SCOPED_TRACE(to_string(shape));
    for (const std::uint64_t seed : {1, 2, 3}) {
      Problem problem = random_problem(shape, seed);
      std::fill(problem.conv_weight.begin(), problem.conv_weight.end(), 0.0F);
      expect_group_norm_bias<TypeParam>(problem);
    }
  }
}

TYPED_TEST(LayerTest, ZeroVarianceAcrossChannelsGivesGroupNormBias) {
  Problem problem = random_problem(several_tiles(2), 1);
  std::fill(problem.conv_weight.begin(), problem.conv_weight.end(), 0.0F);
  for (std::vector<float>* values : {&problem.conv_bias, &problem.bias, &problem.scale}) {
    for (std::size_t o = 0; o < values->size(); ++o) (*values)[o] = (*values)[o / 3 * 3];
  }
  expect_group_norm_bias<TypeParam>(problem);
}

TYPED_TEST(LayerTest, ZeroVarianceOfConstantInputGivesGroupNormBias) {
  Problem problem = random_problem(several_tiles(6), 1);
  std::fill(problem.input.begin(), problem.input.end(), 0.3F);
  expect_group_norm_bias<TypeParam>(problem);
}

TYPED_TEST(LayerTest, ZeroVarianceOfOneValueGivesGroupNormBias) {
  expect_group_norm_bias<TypeParam>(random_problem({.batch = 3,
                                                    .in_channels = 4,
                                                    .height = 3,
                                                    .width = 5,
                                                    .out_channels = 6,
                                                    .kernel_size = {3, 5},
                                                    .num_groups = 6},
                                                   1));
}

TYPED_TEST(LayerTest, ZeroVarianceOfEveryActivationGivesGroupNormBias) {
  for (const Activation activation : all_activations) {
    SCOPED_TRACE(to_string(activation));
    Problem problem = random_problem(several_tiles(6), 1);
    problem.shape.activation = activation;
    std::fill(problem.conv_weight.begin(), problem.conv_weight.end(), 0.0F);
    for (float& scale : problem.scale) scale *= 1e4F;
    expect_group_norm_bias<TypeParam>(problem);
  }
  // All of them are cut off.
  Problem problem = random_problem(several_tiles(2), 1);
  problem.shape.activation = Activation::relu;
  std::fill(problem.bias.begin(), problem.bias.end(), 100.0F);
  std::fill(problem.scale.begin(), problem.scale.end(), -1.0F);
  expect_group_norm_bias<TypeParam>(problem);
}

TYPED_TEST(LayerTest, LargeActivationsMatchTheReference) {
  for (const Activation activation : all_activations) {
    SCOPED_TRACE(to_string(activation));
    for (const float magnitude : {100.0F, 1e16F}) {
      SCOPED_TRACE(magnitude);
      Problem problem = random_problem(several_tiles(2), 1);
      problem.shape.activation = activation;
      for (float& scale : problem.scale) scale *= magnitude;
      expect_float32_accurate<TypeParam>(problem);
    }
  }
}

// Neither float32 nor PyTorch's float32 normalisation holds the squares.
TYPED_TEST(LayerTest, ActivationsWhoseSquaresOverflowAreNanOrRight) {
  Problem problem = random_problem(several_tiles(2), 1);
  problem.shape.activation = Activation::relu;
  for (float& scale : problem.scale) scale *= 1e25F;
  const std::vector<double> expected = reference(problem);
  for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const std::vector<float> y = run_layer(TypeParam(), problem, {.algorithm = algorithm});
    const bool all_nan =
        std::all_of(y.begin(), y.end(), [](float value) { return std::isnan(value); });
    EXPECT_TRUE(all_nan || l2_distance(y, expected) <= float32_tolerance(problem));
  }
}

TYPED_TEST(LayerTest, SaturatedSigmoidsMatchTheReference) {
  for (const float magnitude : {30.0F, 120.0F, 1e4F, 1e30F}) {
    SCOPED_TRACE(magnitude);
    Problem problem = random_problem(several_tiles(2), 1);
    for (float& scale : problem.scale) scale = std::copysign(magnitude, scale);
    expect_float32_accurate<TypeParam>(problem);
  }
}

// Sigmoids near 1, whose variance a float32 sum of squares would lose altogether.
TYPED_TEST(LayerTest, FarMeansMatchTheReference) {
  for (const float bias : {4.0F, 7.0F, 10.0F}) {
    SCOPED_TRACE(bias);
    Problem problem = random_problem(several_tiles(2), 1);
    std::fill(problem.bias.begin(), problem.bias.end(), bias);
    std::fill(problem.scale.begin(), problem.scale.end(), 1.0F);
    std::fill(problem.group_norm_bias.begin(), problem.group_norm_bias.end(), 0.0F);
    expect_float32_accurate<TypeParam>(problem);
  }
}

// Sums of two such inputs are infinite, as sums of two such weights are.
TYPED_TEST(LayerTest, HugeInputsAndWeightsMatchTheReference) {
  const Problem ordinary = random_problem(several_tiles(2), 1);
  Problem problem = ordinary;
  for (float& value : problem.input) value = value * 0x1p126F + 0x1p126F;
  for (float& value : problem.scale) value *= 0x1p-126F;
  expect_float32_accurate<TypeParam>(problem);

  problem = ordinary;
  problem.input[problem.input.size() / 2] = 0x1p126F;
  expect_float32_accurate<TypeParam>(problem);

  problem = ordinary;
  for (float& value : problem.conv_weight) value = std::copysign(0x1p127F, value);
  for (float& value : problem.scale) value *= 0x1p-100F;
  for (float& value : problem.input) value *= 0x1p-30F;
  expect_float32_accurate<TypeParam>(problem);
}

/// Channels in units of their own, as in simulations: what is small in one may be large in another.
TYPED_TEST(LayerTest, ChannelsOfDifferentUnitsMatchTheReference) {
  Problem problem = random_problem({.batch = 2,
                                    .in_channels = 12,
                                    .height = 40,
                                    .width = 83,
                                    .out_channels = 6,
                                    .kernel_size = {3, 3},
                                    .num_groups = 2},
                                   1);
  const Shape& shape = problem.shape;
  const auto unit = [](std::int64_t channel) {
    return std::ldexp(1.0F, static_cast<int>(channel % 3 - 1) * 24);
  };
  const std::int64_t plane = shape.height * shape.width;
  for (std::int64_t i = 0; i < shape.input_size(); ++i) {
    problem.input[static_cast<std::size_t>(i)] *= unit(i / plane % shape.in_channels);
  }
  for (std::int64_t i = 0; i < shape.weight_size(); ++i) {
    problem.conv_weight[static_cast<std::size_t>(i)] /=
        unit(i / shape.kernel_area() % shape.in_channels);
  }
  expect_float32_accurate<TypeParam>(problem);
}

TYPED_TEST(LayerTest, TinyAndSparseInputsMatchTheReference) {
  const Problem ordinary = random_problem(several_tiles(2), 1);
  for (const float magnitude : {0x1p-20F, 0x1p-60F, 0x1p-110F}) {
    SCOPED_TRACE(magnitude);
    Problem problem = ordinary;
    for (float& value : problem.input) value *= magnitude;
    for (float& value : problem.conv_weight) value *= 0x1p20F;
    for (float& value : problem.scale) value *= 0x1p-20F / magnitude;
    for (float& value : problem.bias) value *= magnitude;
    for (float& value : problem.conv_bias) value *= magnitude;
    expect_float32_accurate<TypeParam>(problem);
  }

  Problem problem = ordinary;
  for (std::size_t i = 0; i < problem.input.size(); ++i) {
    if (i % 97 != 0) problem.input[i] = 0;
  }
  expect_float32_accurate<TypeParam>(problem);
}

TYPED_TEST(LayerTest, LargeImagesMatchTheReference) {
  std::uint64_t seed = 0;
  for (const auto& [name, shape] : large_images) {
    SCOPED_TRACE(name);
    expect_float32_accurate<TypeParam>(random_problem(shape, ++seed));
  }
}

/// Rows in units of their own, zeros among them: neighbouring tiles differ in the range of values.
TYPED_TEST(LayerTest, RowsOfDifferentUnitsOfLargeImagesMatchTheReference) {
  const Shape& shape = large_images.back().shape;
  Problem problem = random_problem(shape, 1);
  for (std::size_t i = 0; i < problem.input.size(); ++i) {
    const auto row = static_cast<int>(i / shape.width % shape.height);
    problem.input[i] *= row / 7 % 4 == 0 ? 0.0F : std::ldexp(1.0F, -3 * (row / 7 % 11));
  }
  expect_float32_accurate<TypeParam>(problem);
}

/// Where there are products of such values, float16 stands for none of them.
TYPED_TEST(LayerTest, HugeValuesOfLargeImagesMatchTheReference) {
  Problem problem = random_problem(large_images.back().shape, 1);
  problem.input[problem.input.size() / 2] = 0x1p126F;
  problem.input[0] = -0x1p100F;
  expect_float32_accurate<TypeParam>(problem);
}

/// Elements that are NaN in both are equal; the others' L2 distance is within the tolerance of the
/// problem without its NaN and infinite values.
template <class ExecutionSpace>
void expect_passes_through(const Problem& finite, const Problem& problem) {
  std::vector<double> expected = reference(problem);
  const double tolerance = float32_tolerance(finite);
  for (const Algorithm algorithm : available_algorithms<ExecutionSpace>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    std::vector<float> y = run_layer(ExecutionSpace(), problem, {.algorithm = algorithm});
    ASSERT_EQ(y.size(), expected.size());
    for (std::size_t index = 0; index < y.size(); ++index) {
      ASSERT_EQ(std::isnan(y[index]), std::isnan(expected[index])) << "element " << index;
    }
    std::replace_if(
        y.begin(), y.end(), [](float value) { return std::isnan(value); }, 0.0F);
    std::vector<double> numbers = expected;
    std::replace_if(
        numbers.begin(), numbers.end(), [](double value) { return std::isnan(value); }, 0.0);
    EXPECT_LE(l2_distance(y, numbers), tolerance);
  }
}

TYPED_TEST(LayerTest, NanAndInfinityPassThrough) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const Shape shape{.batch = 4,
                    .in_channels = 4,
                    .height = 19,
                    .width = 23,
                    .out_channels = 10,
                    .kernel_size = {3, 3},
                    .groups = 2,
                    .num_groups = 2};
  const Problem finite = random_problem(shape, 1);
  const std::int64_t image = shape.with_batch(1).input_size();
  const std::int64_t last = image - 1;

  Problem problem = finite;
  problem.input[1 * image] = nan;              // of the first channel group only
  problem.input[2 * image + last] = infinity;  // of the last pixel and channel group only
  problem.input[3 * image + 5] = infinity;     // met by its opposite in one window: NaN
  problem.input[3 * image + 6] = -infinity;
  expect_passes_through<TypeParam>(finite, problem);

  problem = finite;
  problem.scale[3] = nan;
  problem.bias[7] = -infinity;
  expect_passes_through<TypeParam>(finite, problem);

  const Problem large = random_problem(large_images.back().shape, 1);
  for (const float value : {nan, -infinity}) {
    problem = large;
    problem.input[problem.input.size() / 2] = value;
    expect_passes_through<TypeParam>(large, problem);
  }

  for (const Activation activation : all_activations) {
    SCOPED_TRACE(to_string(activation));
    Problem other = finite;
    other.shape.activation = activation;
    problem = other;
    problem.input[0 * image] = nan;
    problem.input[1 * image + last] = infinity;
    problem.input[2 * image + last / 2] = -infinity;
    expect_passes_through<TypeParam>(other, problem);
  }
}

TYPED_TEST(LayerTest, RepetitionGivesTheSameBits) {
  const Problem problem = random_problem(several_tiles(2), 1);
  for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const TypeParam exec;
    const Layer<TypeParam> layer = make_layer(exec, problem, {.algorithm = algorithm});
    const std::vector<float> first = run_layer(exec, layer, problem);
    for (int repetition = 0; repetition < 5; ++repetition) {
      EXPECT_TRUE(same_bits(run_layer(exec, layer, problem), first));
    }
    EXPECT_TRUE(same_bits(run_layer(exec, problem, {.algorithm = algorithm}), first));
  }
}

// Shapes whose work would be cut differently if the plan looked at the number of images.
std::vector<Shape> shapes_of_seven_images() {
  return {several_tiles(2).with_batch(7),
          {.batch = 7,
           .in_channels = 5,
           .height = 4,
           .width = 5,
           .out_channels = 12,
           .kernel_size = {3, 3},
           .num_groups = 3},
          {.batch = 7,
           .in_channels = 8,
           .height = 33,
           .width = 12,
           .out_channels = 32,
           .kernel_size = {3, 3},
           .padding = {1, 1},
           .groups = 2,
           .num_groups = 8},
          {.batch = 7,
           .in_channels = 3,
           .height = 40,
           .width = 33,
           .out_channels = 8,
           .kernel_size = {3, 3},
           .num_groups = 4,
           .activation = Activation::gelu}};
}

TYPED_TEST(LayerTest, AnyCutOfTheBatchGivesTheSameBits) {
  const TypeParam exec;
  for (const Shape& shape : shapes_of_seven_images()) {
    SCOPED_TRACE(to_string(shape));
    const Problem problem = random_problem(shape, 1);
    for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
      SCOPED_TRACE(to_string(algorithm));
      const Options options{.algorithm = algorithm};
      const Layer<TypeParam> layer = make_layer(exec, problem, options);
      const std::vector<float> whole = run_layer(exec, layer, problem);
      using Cut = std::vector<std::int64_t>;
      for (const Cut& cut : {Cut{1, 1, 1, 1, 1, 1, 1}, Cut{2, 5}, Cut{3, 4}}) {
        std::vector<float> by_large_layer;
        std::vector<float> by_fitting_layers;
        std::int64_t first = 0;
        for (const std::int64_t count : cut) {
          const Problem part = cut_batch(problem, first, count);
          const std::vector<float> by_large = run_layer(exec, layer, part);
          const std::vector<float> by_fitting = run_layer(exec, part, options);
          by_large_layer.insert(by_large_layer.end(), by_large.begin(), by_large.end());
          by_fitting_layers.insert(by_fitting_layers.end(), by_fitting.begin(), by_fitting.end());
          first += count;
        }
        EXPECT_TRUE(same_bits(by_large_layer, whole)) << cut.size() << " parts";
        EXPECT_TRUE(same_bits(by_fitting_layers, whole)) << cut.size() << " parts";
      }
    }
  }
}

// With OpenMP each of the two instances has half of the threads; with a device they are two queues,
// whose runs may overlap.
TYPED_TEST(LayerTest, PartsOfTheExecutionSpaceGiveTheSameBits) {
  const TypeParam whole;
  const auto parts = Kokkos::Experimental::partition_space(whole, 1, 1);
  for (const Shape& shape : shapes_of_seven_images()) {
    SCOPED_TRACE(to_string(shape));
    const Problem problem = random_problem(shape, 1);
    for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
      SCOPED_TRACE(to_string(algorithm));
      const Layer<TypeParam> layer = make_layer(whole, problem, {.algorithm = algorithm});
      const std::vector<float> expected = run_layer(whole, layer, problem);

      std::vector<Layer<TypeParam>> layers;
      std::vector<Tensor<TypeParam>> inputs;
      std::vector<Tensor<TypeParam>> outputs;
      for (const TypeParam& part : parts) {
        layers.push_back(make_layer(part, problem, {.algorithm = algorithm}));
        inputs.push_back(device_input<TypeParam>(problem));
        outputs.push_back(device_output<TypeParam>(shape));
      }
      for (std::size_t part = 0; part < layers.size(); ++part) {
        layers[part](parts[part], inputs[part], outputs[part]);
      }
      for (std::size_t part = 0; part < layers.size(); ++part) {
        parts[part].fence("fusedconv::test: end of run");
        EXPECT_TRUE(same_bits(to_host(outputs[part]), expected)) << "part " << part;
      }
      EXPECT_TRUE(same_bits(run_layer(parts[0], layer, problem), expected))
          << "layer of the whole space on a part of it";
    }
  }
}

TYPED_TEST(LayerTest, RunsOnPartsOfACallersViews) {
  const TypeParam exec;
  const Problem problem = random_problem(several_tiles(2).with_batch(4), 1);
  const auto x = device_input<TypeParam>(problem);
  const auto y = device_output<TypeParam>(problem.shape);
  const Layer<TypeParam> layer = make_layer(exec, problem, {});
  const auto images = Kokkos::pair<int, int>(1, 3);
  const Kokkos::View<const float****, Kokkos::LayoutRight, typename TypeParam::memory_space>
      const_x = x;
  layer(exec, Kokkos::subview(const_x, images, Kokkos::ALL, Kokkos::ALL, Kokkos::ALL),
        Kokkos::subview(y, images, Kokkos::ALL, Kokkos::ALL, Kokkos::ALL));
  exec.fence("fusedconv::test: end of run");

  const std::vector<float> all = to_host(y);
  const std::int64_t image = problem.shape.with_batch(1).output_size();
  const auto is_nan = [](float value) { return std::isnan(value); };
  EXPECT_TRUE(std::all_of(all.begin(), all.begin() + image, is_nan)) << "image 0 was written";
  EXPECT_TRUE(std::all_of(all.begin() + 3 * image, all.end(), is_nan)) << "image 3 was written";
  EXPECT_TRUE(same_bits(std::vector<float>(all.begin() + image, all.begin() + 3 * image),
                        run_layer(exec, cut_batch(problem, 1, 2))));
}

TYPED_TEST(LayerTest, RunsOnOneImageOfRankThreeAndOnStridesOfLayoutRight) {
  using MemorySpace = typename TypeParam::memory_space;
  using Image = Kokkos::View<float***, Kokkos::LayoutRight, MemorySpace>;
  using Strided = Kokkos::View<float****, Kokkos::LayoutStride, MemorySpace>;
  const TypeParam exec;
  const Problem problem = random_problem(several_tiles(2).with_batch(1), 1);
  const Shape& shape = problem.shape;
  const auto x = device_input<TypeParam>(problem);
  const auto y = device_output<TypeParam>(shape);
  const Layer<TypeParam> layer = make_layer(exec, problem, {});
  const std::vector<float> expected = run_layer(exec, layer, problem);

  layer(exec, Image(x.data(), shape.in_channels, shape.height, shape.width),
        Image(y.data(), shape.out_channels, shape.output_height(), shape.output_width()));
  exec.fence("fusedconv::test: end of run");
  EXPECT_TRUE(same_bits(to_host(y), expected));

  Kokkos::deep_copy(y, Kokkos::Experimental::quiet_NaN_v<float>);
  layer(exec, Strided(x), Strided(y));
  exec.fence("fusedconv::test: end of run");
  EXPECT_TRUE(same_bits(to_host(y), expected));
}

TYPED_TEST(LayerTest, ParametersMayChangeOnceTheLayerIsMade) {
  using MemorySpace = typename TypeParam::memory_space;
  const TypeParam exec;
  const Problem problem = random_problem(several_tiles(2), 1);
  const auto weight =
      to_device<MemorySpace>("conv.weight", problem.conv_weight, problem.shape.out_channels,
                             problem.shape.in_channels, 3, 3);
  const auto scale = to_device<MemorySpace>("scale", problem.scale);
  for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    Parameters<MemorySpace> parameters = device_parameters<MemorySpace>(problem);
    const Kokkos::View<float****, Kokkos::LayoutRight, MemorySpace> own_weight(
        "conv.weight", weight.extent(0), weight.extent(1), weight.extent(2), weight.extent(3));
    const Kokkos::View<float*, Kokkos::LayoutRight, MemorySpace> own_scale("scale",
                                                                           scale.extent(0));
    Kokkos::deep_copy(own_weight, weight);
    Kokkos::deep_copy(own_scale, scale);
    parameters.conv_weight = own_weight;
    parameters.scale = own_scale;
    const Layer<TypeParam> layer(exec, problem.shape, parameters, {.algorithm = algorithm});
    Kokkos::deep_copy(own_weight, 7.0F);
    Kokkos::deep_copy(own_scale, 7.0F);
    EXPECT_TRUE(same_bits(run_layer(exec, layer, problem),
                          run_layer(exec, problem, {.algorithm = algorithm})));
  }
}

TYPED_TEST(LayerTest, CopiesShareTheLayer) {
  const TypeParam exec;
  const Problem problem = random_problem(several_tiles(2), 1);
  Layer<TypeParam> copy = make_layer(exec, random_problem(several_tiles(3), 2), {});
  {
    const Layer<TypeParam> layer = make_layer(exec, problem, {});
    copy = layer;
  }
  EXPECT_EQ(copy.shape(), problem.shape);
  EXPECT_TRUE(same_bits(run_layer(exec, copy, problem), run_layer(exec, problem)));
}

TYPED_TEST(LayerTest, PlanNamesTheAlgorithm) {
  const Shape shape = several_tiles(2);
  for (const Algorithm algorithm : available_algorithms<TypeParam>(shape)) {
    const Options options{.algorithm = algorithm};
    const Plan plan = Layer<TypeParam>::plan(shape, options);
    EXPECT_NE(plan.algorithm, Algorithm::automatic);
    EXPECT_TRUE(algorithm == Algorithm::automatic || plan.algorithm == algorithm);
    EXPECT_FALSE(plan.description.empty());
    EXPECT_GE(plan.workspace_bytes, 0);

    const Layer<TypeParam> layer = make_layer(TypeParam(), random_problem(shape, 1), options);
    EXPECT_EQ(layer.shape(), shape);
    EXPECT_EQ(layer.plan().algorithm, plan.algorithm);
    EXPECT_EQ(layer.plan().description, plan.description);
    EXPECT_EQ(layer.plan().workspace_bytes, plan.workspace_bytes);

    const Plan of_many = Layer<TypeParam>::plan(shape.with_batch(1000000), options);
    EXPECT_EQ(of_many.algorithm, plan.algorithm);
    EXPECT_EQ(of_many.description, plan.description);
  }
}

}  // namespace
}  // namespace fusedconv::test
