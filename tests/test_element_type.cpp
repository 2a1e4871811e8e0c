// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fusedconv/element_type.hpp>
#include <fusedconv/error.hpp>
#include <fusedconv/float16.hpp>
#include <fusedconv/layer.hpp>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "run_layer.hpp"
#include "same_bits.hpp"

namespace fusedconv::test {
namespace {

/// By its definition: sign, exponent with a bias, significand.
double value_of(std::uint16_t bits, int significand_bits, int bias) {
  const int exponent = (bits & 0x7FFF) >> significand_bits;
  const int significand = bits & ((1 << significand_bits) - 1);
  const int largest = (0x7FFF >> significand_bits);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == largest) {
    return significand == 0 ? sign * std::numeric_limits<double>::infinity() : NAN;
  }
  const double fraction = std::ldexp(significand, -significand_bits) + (exponent == 0 ? 0 : 1);
  return sign * std::ldexp(fraction, std::max(exponent, 1) - bias);
}

double value_of(Float16 value) { return value_of(value.bits, 10, 15); }
double value_of(BFloat16 value) { return value_of(value.bits, 7, 127); }

template <class Element>
Element rounded(float value) {
  if constexpr (std::is_same_v<Element, Float16>) {
    return to_float16(value);
  } else {
    return to_bfloat16(value);
  }
}

template <class Element>
class ElementTypeTest : public testing::Test {};

using SixteenBits = testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(ElementTypeTest, SixteenBits);

TYPED_TEST(ElementTypeTest, EveryValueIsExactAndComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const TypeParam element{static_cast<std::uint16_t>(bits)};
    const double expected = value_of(element);
    const float value = to_float32(element);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      EXPECT_TRUE(std::isnan(to_float32(rounded<TypeParam>(value)))) << bits;
      continue;
    }
    EXPECT_EQ(value, expected) << bits;
    EXPECT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
    EXPECT_EQ(rounded<TypeParam>(value).bits, bits);
  }
}

// Between any two neighbours: below the middle, at it and above it.
TYPED_TEST(ElementTypeTest, RoundsToTheNearestAndTiesToEven) {
  for (std::uint16_t bits = 0; std::isfinite(value_of(TypeParam{bits})); ++bits) {
    const auto next_bits = static_cast<std::uint16_t>(bits + 1);
    const double low = value_of(TypeParam{bits});
    double high = value_of(TypeParam{next_bits});
    // Infinity is rounded to where the next number would be.
    if (std::isinf(high))
      high = 2 * low - value_of(TypeParam{static_cast<std::uint16_t>(bits - 1)});
    const auto middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(middle, (low + high) / 2) << bits;
    const std::uint16_t even = bits % 2 == 0 ? bits : next_bits;
    EXPECT_EQ(rounded<TypeParam>(middle).bits, even);
    EXPECT_EQ(rounded<TypeParam>(std::nextafter(middle, 0.0F)).bits, bits);
    EXPECT_EQ(
        rounded<TypeParam>(std::nextafter(middle, std::numeric_limits<float>::infinity())).bits,
        next_bits);
    EXPECT_EQ(rounded<TypeParam>(-middle).bits, even | 0x8000);
  }
}

template <class ExecutionSpace>
class SixteenBitLayerTest : public testing::Test {};

TYPED_TEST_SUITE(SixteenBitLayerTest, ExecutionSpaceTypes, ExecutionSpaceNames);

template <class Element, class ExecutionSpace>
using ElementTensor =
    Kokkos::View<Element****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

/// A device copy of values, rounded.
template <class ExecutionSpace, class Element>
ElementTensor<Element, ExecutionSpace> device_images(const std::vector<float>& values,
                                                     std::int64_t n, std::int64_t c, std::int64_t h,
                                                     std::int64_t w) {
  ElementTensor<Element, ExecutionSpace> view("images", n, c, h, w);
  const auto host = Kokkos::create_mirror_view(view);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<Element, float>) {
      host.data()[i] = values[i];
    } else {
      host.data()[i] = rounded<Element>(values[i]);
    }
  }
  Kokkos::deep_copy(view, host);
  return view;
}

/// As float32.
template <class View>
std::vector<float> host_values(const View& view) {
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, view);
  std::vector<float> values(host.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<typename View::non_const_value_type, float>) {
      values[i] = host.data()[i];
    } else {
      values[i] = to_float32(host.data()[i]);
    }
  }
  return values;
}

template <class Element>
constexpr ElementType type_of() {
  if constexpr (std::is_same_v<Element, Float16>) return ElementType::float16;
  if constexpr (std::is_same_v<Element, BFloat16>) return ElementType::bfloat16;
  return ElementType::float32;
}

template <class Element>
std::vector<float> all_rounded(std::vector<float> values) {
  if constexpr (!std::is_same_v<Element, float>) {
    for (float& value : values) value = to_float32(rounded<Element>(value));
  }
  return values;
}

/// So many images that they are converted in parts, on a host.
Problem several_parts() {
  return random_problem({.batch = 9,
                         .in_channels = 4,
                         .height = 130,
                         .width = 121,
                         .out_channels = 32,
                         .kernel_size = {3, 3},
                         .num_groups = 8},
                        1);
}

/// The bits of converting by hand before and after a run in float32.
template <class ExecutionSpace, class In, class Out>
void expect_conversions_by_hand(const Problem& problem, Algorithm algorithm) {
  const ExecutionSpace exec;
  const Shape& shape = problem.shape;
  Problem by_hand = problem;
  by_hand.input = all_rounded<In>(problem.input);
  const std::vector<float> expected =
      all_rounded<Out>(run_layer(exec, by_hand, {.algorithm = algorithm}));

  const auto x = device_images<ExecutionSpace, In>(problem.input, shape.batch, shape.in_channels,
                                                   shape.height, shape.width);
  const ElementTensor<Out, ExecutionSpace> y("y", shape.batch, shape.out_channels,
                                             shape.output_height(), shape.output_width());
  const Layer<ExecutionSpace> layer = make_layer(
      exec, problem,
      {.algorithm = algorithm, .input_type = type_of<In>(), .output_type = type_of<Out>()});
  layer(exec, x, y);
  exec.fence("fusedconv::test: end of run");
  EXPECT_TRUE(same_bits(host_values(y), expected));
  EXPECT_TRUE(same_bits(host_values(x), by_hand.input)) << "the input was changed";
}

TYPED_TEST(SixteenBitLayerTest, GivesTheBitsOfConvertingByHand) {
  const Problem problem = several_parts();
  for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    expect_conversions_by_hand<TypeParam, Float16, Float16>(problem, algorithm);
    expect_conversions_by_hand<TypeParam, BFloat16, float>(problem, algorithm);
    expect_conversions_by_hand<TypeParam, float, BFloat16>(problem, algorithm);
  }
  Problem unbounded = problem;
  unbounded.shape.activation = Activation::relu;
  expect_conversions_by_hand<TypeParam, BFloat16, Float16>(unbounded, Algorithm::automatic);
}

// They have 16 bits in builds for devices and are float in others.
template <class ExecutionSpace, class Element>
void expect_kokkos_type_taken(ElementType sixteen_bits) {
  const ExecutionSpace exec;
  Problem problem = several_parts();
  problem.shape.batch = 1;
  problem.input.resize(static_cast<std::size_t>(problem.shape.input_size()));
  const Shape& shape = problem.shape;
  const ElementTensor<Element, ExecutionSpace> x("x", 1, shape.in_channels, shape.height,
                                                 shape.width);
  const auto host = Kokkos::create_mirror_view(x);
  for (std::size_t i = 0; i < problem.input.size(); ++i) {
    host.data()[i] = static_cast<Element>(problem.input[i]);
    problem.input[i] = static_cast<float>(host.data()[i]);
  }
  Kokkos::deep_copy(x, host);
  const auto y = device_output<ExecutionSpace>(shape);
  const ElementType type = sizeof(Element) == 2 ? sixteen_bits : ElementType::float32;
  make_layer(exec, problem, {.input_type = type})(exec, x, y);
  exec.fence("fusedconv::test: end of run");
  EXPECT_TRUE(same_bits(to_host(y), run_layer(exec, problem)));
}

TYPED_TEST(SixteenBitLayerTest, TakesKokkosOwnTypes) {
  expect_kokkos_type_taken<TypeParam, Kokkos::Experimental::half_t>(ElementType::float16);
  expect_kokkos_type_taken<TypeParam, Kokkos::Experimental::bhalf_t>(ElementType::bfloat16);
}

TYPED_TEST(SixteenBitLayerTest, PlanTellsTheElementsAndTheirMemory) {
  const Shape shape = several_parts().shape;
  const Plan plain = Layer<TypeParam>::plan(shape);
  const Plan plan = Layer<TypeParam>::plan(
      shape, {.input_type = ElementType::float16, .output_type = ElementType::bfloat16});
  EXPECT_NE(plan.description.find("x of float16, y of bfloat16"), std::string::npos);
  const std::int64_t image_bytes =
      4 * (shape.with_batch(1).input_size() + shape.with_batch(1).output_size());
  EXPECT_GE(plan.workspace_bytes, plain.workspace_bytes + image_bytes);
  EXPECT_LE(plan.workspace_bytes, plain.workspace_bytes + shape.batch * image_bytes);
  EXPECT_EQ(plan.row_alignment, 0);
  // Bounded, however many images there are.
  const Options options{.output_type = ElementType::float16};
  const auto extra = [&](std::int64_t images) {
    const Shape many = shape.with_batch(images);
    return Layer<TypeParam>::plan(many, options).workspace_bytes -
           Layer<TypeParam>::plan(many).workspace_bytes;
  };
  EXPECT_EQ(extra(100000), extra(1000000));
}

template <class Call>
void expect_refused(const std::string& object, const std::string& expected,
                    const std::string& found, const Call& call) {
  try {
    call();
    ADD_FAILURE() << "nothing thrown";
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(error.object(), object);
    EXPECT_EQ(error.expected(), expected);
    EXPECT_EQ(error.found(), found);
  }
}

TYPED_TEST(SixteenBitLayerTest, RefusesElementsThatOptionsDoNotSay) {
  const TypeParam exec;
  const Problem problem = random_problem({.height = 3, .width = 4}, 1);
  const ElementTensor<Float16, TypeParam> half("half", 1, 1, 3, 4);
  const ElementTensor<float, TypeParam> single("single", 1, 1, 3, 4);
  const Layer<TypeParam> plain = make_layer(exec, problem, {});
  const Layer<TypeParam> converting =
      make_layer(exec, problem, {.output_type = ElementType::bfloat16});
  expect_refused("x", "float32, as Options::input_type says", "float16",
                 [&] { plain(exec, half, single); });
  expect_refused("y", "float32, as Options::output_type says", "float16",
                 [&] { plain(exec, single, half); });
  expect_refused("y", "bfloat16, as Options::output_type says", "float16",
                 [&] { converting(exec, single, half); });
  expect_refused("blocks of rows", "a layer whose input_type and output_type are float32",
                 "float32 and bfloat16", [&] {
                   converting.activate_rows(exec, {0, 3}, single, single, {});
                 });
}

TYPED_TEST(SixteenBitLayerTest, TakesParametersOfSixteenBits) {
  using MemorySpace = typename TypeParam::memory_space;
  const TypeParam exec;
  Problem problem = several_parts();
  problem.shape.batch = 1;
  problem.input.resize(static_cast<std::size_t>(problem.shape.input_size()));
  problem.conv_weight = all_rounded<BFloat16>(problem.conv_weight);
  problem.scale = all_rounded<Float16>(problem.scale);
  const auto weight = device_images<TypeParam, BFloat16>(
      problem.conv_weight, problem.shape.out_channels, problem.shape.in_channels, 3, 3);
  const auto scale4 =
      device_images<TypeParam, Float16>(problem.scale, 1, 1, 1, problem.shape.out_channels);
  const Kokkos::View<const Float16*, Kokkos::LayoutRight, MemorySpace,
                     Kokkos::MemoryTraits<Kokkos::Unmanaged>>
      scale(scale4.data(), scale4.size());

  Parameters<MemorySpace> parameters = device_parameters<MemorySpace>(problem);
  parameters.conv_weight = to_float32(exec, weight);
  parameters.scale = to_float32(exec, scale);
  const Layer<TypeParam> layer(exec, problem.shape, parameters);
  EXPECT_TRUE(same_bits(run_layer(exec, layer, problem), run_layer(exec, problem)));
}

TEST(ElementType, Names) {
  EXPECT_EQ(to_string(ElementType::float32), "float32");
  EXPECT_EQ(to_string(ElementType::float16), "float16");
  EXPECT_EQ(to_string(ElementType::bfloat16), "bfloat16");
}

}  // namespace
}  // namespace fusedconv::test
