// SPDX-License-Identifier: Apache-2.0
// Random layers with ordinary and extreme data on every algorithm, element by element within the
// bounds that NUMERICS.md derives. Environment variables, for runs by hand:
//
//     FUSEDCONV_NUMERICS_SEED=N    this seed alone, with all that is known of it
//     FUSEDCONV_NUMERICS_CASES=N   so many seeds
//     FUSEDCONV_NUMERICS_FIRST=N   from this seed on
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fusedconv/layer.hpp>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "algorithms.hpp"
#include "error_bound.hpp"
#include "execution_space_types.hpp"
#include "random_case.hpp"
#include "reference.hpp"
#include "rounding.hpp"
#include "run_layer.hpp"

namespace fusedconv::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

std::optional<std::int64_t> number_from_environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return std::stoll(value);
}

/// Fewer where the build is slow; they are the same seeds.
constexpr std::int64_t default_cases =
#if defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)
    200;
#else
    2000;
#endif

/// Runs a layer on Views such as callers have, and checks what lies around y.
template <class ExecutionSpace>
std::vector<float> run_on_views(const ExecutionSpace& exec, const Layer<ExecutionSpace>& layer,
                                const Problem& problem, CallersViews views) {
  using MemorySpace = typename ExecutionSpace::memory_space;
  const Shape& shape = problem.shape;
  if (views == CallersViews::layout_right) return run_layer(exec, layer, problem);
  if (views == CallersViews::part_of_larger) {
    const Shape larger = shape.with_batch(shape.batch + 2);
    const Tensor<ExecutionSpace> x("input", larger.batch, shape.in_channels, shape.height,
                                   shape.width);
    Kokkos::deep_copy(x, Kokkos::Experimental::quiet_NaN_v<float>);
    const auto y = device_output<ExecutionSpace>(larger);
    const auto images = Kokkos::pair<std::int64_t, std::int64_t>(1, larger.batch - 1);
    const auto part_of = [&](const auto& view) {
      return Kokkos::subview(view, images, Kokkos::ALL, Kokkos::ALL, Kokkos::ALL);
    };
    Kokkos::deep_copy(part_of(x), device_input<ExecutionSpace>(problem));
    layer(exec, part_of(x), part_of(y));
    exec.fence("fusedconv::test: end of run");
    const std::vector<float> all = to_host(y);
    const std::int64_t image = shape.with_batch(1).output_size();
    const auto is_nan = [](float value) { return std::isnan(value); };
    EXPECT_TRUE(std::all_of(all.begin(), all.begin() + image, is_nan)) << "written before y";
    EXPECT_TRUE(std::all_of(all.end() - image, all.end(), is_nan)) << "written behind y";
    return {all.begin() + image, all.end() - image};
  }
  const auto x = device_input<ExecutionSpace>(problem);
  const auto y = device_output<ExecutionSpace>(shape);
  if (views == CallersViews::strided) {
    using Strided = Kokkos::View<float****, Kokkos::LayoutStride, MemorySpace>;
    layer(exec, Strided(x), Strided(y));
  } else {
    using Image = Kokkos::View<float***, Kokkos::LayoutRight, MemorySpace>;
    layer(exec, Image(x.data(), shape.in_channels, shape.height, shape.width),
          Image(y.data(), shape.out_channels, shape.output_height(), shape.output_width()));
  }
  exec.fence("fusedconv::test: end of run");
  return to_host(y);
}

/// The worst of all cases of an algorithm in a precision.
struct Worst {
  double ratio = 0;  ///< of an element's error to its bound
  std::int64_t ratio_seed = 0;
  std::vector<double> ratios;         ///< of each case
  std::int64_t well_conditioned = 0;  ///< cases
  double relative_l2 = 0;             ///< of them
  std::int64_t relative_l2_seed = 0;
};

double l2_norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string describe(const Reference& reference, const ErrorBound& bound, std::int64_t index,
                     const std::vector<float>& y) {
  const Shape& shape = reference.problem.shape;
  const std::int64_t channel = index / shape.output_area();
  std::ostringstream text;
  text.precision(9);
  text << "element " << index << " (image " << channel / shape.out_channels << ", channel "
       << channel % shape.out_channels << ") is " << y[index] << ", the reference "
       << reference.y[index] << ", the bound " << bound.error[index] << ", the activation "
       << reference.activations[index] << ", the sum " << reference.sums[index].value << " of "
       << reference.sums[index].magnitude << ", the group's result "
       << static_cast<int>(bound.group[channel / shape.channels_per_norm_group()]);
  return text.str();
}

std::string describe(std::int64_t seed, const RandomCase& random) {
  const Shape& shape = random.problem.shape;
  const auto pair = [](const HeightWidth& values) {
    return std::to_string(values[0]) + "x" + std::to_string(values[1]);
  };
  std::ostringstream text;
  text << "FUSEDCONV_NUMERICS_SEED=" << seed << ": " << to_string(shape) << "; stride "
       << pair(shape.stride) << ", padding " << pair(shape.padding) << ", dilation "
       << pair(shape.dilation) << ", groups " << shape.groups << ", eps " << shape.eps << "; "
       << random.description << "; Views " << static_cast<int>(random.views);
  return text.str();
}

/// What is promised of the L2 error of a layer with ordinary data: the tolerance of rounding.hpp,
/// and a relative error of 1e-6 where that is at most as much.
struct L2Promise {
  L2Promise(const RandomCase& random, const Reference& reference)
      : norm(l2_norm(reference.y)),
        of_float32(random.is_ordinary ? float32_tolerance(random.problem)
                                      : std::numeric_limits<double>::infinity()),
        is_well_conditioned(norm > 0 && of_float32 <= 1e-6 * norm) {}

  double allowed(Precision precision) const {
    // Operands of 11 bits have lost 13 of 24.
    return precision == Precision::tf32 ? 0x1p13 * of_float32 : of_float32;
  }

  double norm;
  double of_float32;  ///< infinite where the data is not ordinary
  bool is_well_conditioned;
};

template <class ExecutionSpace>
constexpr bool on_host =
    Kokkos::SpaceAccessibility<Kokkos::HostSpace,
                               typename ExecutionSpace::memory_space>::accessible;

template <class ExecutionSpace>
class NumericsTest : public testing::Test {
 protected:
  /// \return whether all was as it should be
  bool run_seed(std::int64_t seed) {
    const RandomCase random = random_case(static_cast<std::uint64_t>(seed));
    const std::string description = describe(seed, random);
    SCOPED_TRACE(description);
    if (is_verbose_) std::cout << description << '\n';
    const Reference reference(random.problem);
    const L2Promise promise(random, reference);
    bool is_right = true;
    for (const Algorithm algorithm : available_algorithms<ExecutionSpace>(random.problem.shape)) {
      if (algorithm == Algorithm::automatic) continue;  // one of the others
      is_right &= run(seed, random, reference, promise, algorithm, Precision::fp32);
      // Elsewhere tf32 has the bits of fp32.
      if (algorithm == Algorithm::tensor_core) {
        is_right &= run(seed, random, reference, promise, algorithm, Precision::tf32);
      }
    }
    return is_right;
  }

  bool run(std::int64_t seed, const RandomCase& random, const Reference& reference,
           const L2Promise& promise, Algorithm algorithm, Precision precision) {
    const std::string name =
        std::string(to_string(algorithm)) + "_" + std::string(to_string(precision));
    SCOPED_TRACE(name);
    const Layer<ExecutionSpace> layer =
        make_layer(exec_, random.problem, {.algorithm = algorithm, .precision = precision});
    const std::vector<float> y = run_on_views(exec_, layer, random.problem, random.views);
    const ErrorBound bound =
        error_bound(reference, {algorithm, precision, on_host<ExecutionSpace>});
    const Comparison found = compare(reference, bound, y);
    const bool is_near = found.violation < 0;
    EXPECT_TRUE(is_near) << describe(reference, bound, found.violation, y);
    const double l2 = l2_distance(y, reference.y);
    const bool is_near_in_l2 = !random.is_ordinary || l2 <= promise.allowed(precision);
    EXPECT_TRUE(is_near_in_l2) << "the L2 error is " << l2 << ", more than "
                               << promise.allowed(precision) << ", of a norm of " << promise.norm;
    if (is_verbose_) {
      std::cout << name << ": " << layer.plan().description << "; error / bound "
                << found.worst_ratio << ", relative L2 error " << l2 / promise.norm << '\n';
    }
    Worst& worst = worst_[name];
    worst.ratios.push_back(found.worst_ratio);
    if (found.worst_ratio > worst.ratio) {
      worst.ratio = found.worst_ratio;
      worst.ratio_seed = seed;
    }
    if (promise.is_well_conditioned) {
      ++worst.well_conditioned;
      if (l2 / promise.norm > worst.relative_l2) {
        worst.relative_l2 = l2 / promise.norm;
        worst.relative_l2_seed = seed;
      }
    }
    return is_near && is_near_in_l2;
  }

  /// What was found, for whoever reads the test's XML or output.
  void report() const {
    for (const auto& [name, worst] : worst_) {
      const auto record = [&](const char* key, const auto& value) {
        std::ostringstream text;
        text << value;
        testing::Test::RecordProperty(name + "_" + key, text.str());
      };
      record("cases", worst.ratios.size());
      record("worst_error_over_bound", worst.ratio);
      record("median_error_over_bound", median(worst.ratios));
      record("well_conditioned_cases", worst.well_conditioned);
      record("worst_relative_l2", worst.relative_l2);
      std::cout << ExecutionSpace::name() << " " << name << ": " << worst.ratios.size()
                << " cases, worst error / bound " << worst.ratio << " (seed " << worst.ratio_seed
                << "), median " << median(worst.ratios) << "; " << worst.well_conditioned
                << " well-conditioned, worst relative L2 " << worst.relative_l2 << " (seed "
                << worst.relative_l2_seed << ")\n";
    }
  }

  ExecutionSpace exec_;
  bool is_verbose_ = false;
  std::map<std::string, Worst> worst_;
};

TYPED_TEST_SUITE(NumericsTest, ExecutionSpaceTypes, ExecutionSpaceNames);

/// Fails if an algorithm's result is not what the bounds allow.
template <class ExecutionSpace>
void expect_within_bounds(const Problem& problem) {
  const Reference reference(problem);
  for (const Algorithm algorithm : available_algorithms<ExecutionSpace>(problem.shape)) {
    if (algorithm == Algorithm::automatic) continue;
    SCOPED_TRACE(to_string(algorithm));
    const std::vector<float> y = run_layer(ExecutionSpace(), problem, {.algorithm = algorithm});
    const ErrorBound bound =
        error_bound(reference, {algorithm, Precision::fp32, on_host<ExecutionSpace>});
    const std::int64_t violation = compare(reference, bound, y).violation;
    EXPECT_LT(violation, 0) << describe(reference, bound, violation, y);
  }
}

// What random layers have found, each by itself.

const Shape of_two_groups{.batch = 2,
                          .in_channels = 3,
                          .height = 13,
                          .width = 40,
                          .out_channels = 6,
                          .kernel_size = {3, 3},
                          .num_groups = 2};

TYPED_TEST(NumericsTest, InfiniteScalesAreThoseOfPyTorch) {
  for (const Activation activation : all_activations) {
    SCOPED_TRACE(to_string(activation));
    Problem problem = random_problem(of_two_groups, 1);
    problem.shape.activation = activation;
    problem.scale[0] = infinity;
    problem.scale[2] = -infinity;
    expect_within_bounds<TypeParam>(problem);
    problem.bias.clear();
    problem.conv_bias.clear();
    expect_within_bounds<TypeParam>(problem);
  }
}

TYPED_TEST(NumericsTest, OverflowingProductsOfBiasAndScaleLeaveTheSign) {
  Problem problem = random_problem(of_two_groups, 1);
  for (float& value : problem.conv_weight) value *= 0x1p100F;
  for (float& value : problem.bias) value *= 0x1p100F;
  for (float& value : problem.scale) value *= 0x1p100F;
  expect_within_bounds<TypeParam>(problem);
}

TYPED_TEST(NumericsTest, LargeWeightsAndSmallDeviationsMeetInFloat32) {
  Problem problem = random_problem(of_two_groups, 1);
  for (float& value : problem.group_norm_weight) value *= 1e37F;
  expect_within_bounds<TypeParam>(problem);

  problem = random_problem(of_two_groups, 1);
  problem.shape.num_groups = 6;
  problem.shape.eps = 1e-300;
  std::fill(problem.conv_weight.begin(), problem.conv_weight.end(), 0.0F);
  expect_within_bounds<TypeParam>(problem);
}

// Each channel is constant, so that no squares overflow within one, but between them.
TYPED_TEST(NumericsTest, ChannelsFarApartAreNormalizedOrNan) {
  Problem problem = random_problem(of_two_groups, 1);
  problem.shape.activation = Activation::identity;
  for (std::size_t o = 0; o < problem.bias.size(); ++o) {
    problem.bias[o] = o % 2 == 0 ? 3e38F : -3e38F;
  }
  std::fill(problem.scale.begin(), problem.scale.end(), 1.0F);
  expect_within_bounds<TypeParam>(problem);
}

// Activations near 1 beside those whose squares are no floats.
TYPED_TEST(NumericsTest, ActivationsWhoseSquaresUnderflowAreNormalized) {
  const Shape depthwise{.batch = 1,
                        .in_channels = 8,
                        .height = 8,
                        .width = 43,
                        .out_channels = 8,
                        .kernel_size = {3, 3},
                        .groups = 8,
                        .num_groups = 4};
  const Shape large{.batch = 1,
                    .in_channels = 1,
                    .height = 522,
                    .width = 202,
                    .out_channels = 2,
                    .kernel_size = {3, 3},
                    .num_groups = 1};
  for (const Shape& shape : {of_two_groups, depthwise, large}) {
    SCOPED_TRACE(to_string(shape));
    Problem problem = random_problem(shape, 1);
    for (float& value : problem.input) value += 3;
    const auto taps = static_cast<float>(shape.in_channels_per_group() * shape.kernel_area());
    std::fill(problem.conv_weight.begin(), problem.conv_weight.end(), -60 / (3.5F * taps));
    for (std::size_t o = 0; o < problem.scale.size(); ++o) {
      problem.scale[o] = o % 2 == 0 ? 1.0F : -0.4F;
    }
    expect_within_bounds<TypeParam>(problem);
  }
}

// Statistics are of differences from one of the values, which must not be taken from outside of the
// image where a tile is not full.
TYPED_TEST(NumericsTest, ChannelsThatVaryLittleKeepTheirDeviation) {
  for (const std::int64_t width : {5, 37, 70, 131, 200}) {
    const Shape shape{.batch = 1,
                      .in_channels = 1,
                      .height = 1,
                      .width = width,
                      .out_channels = 6,
                      .kernel_size = {4, 4},
                      .padding = {2, 2},
                      .num_groups = 6,
                      .eps = 1e-8};
    SCOPED_TRACE(to_string(shape));
    Problem problem = random_problem(shape, 1);
    for (float& value : problem.conv_weight) value *= 0.1F;
    const Reference reference(problem);
    for (const Algorithm algorithm : available_algorithms<TypeParam>(shape)) {
      SCOPED_TRACE(to_string(algorithm));
      const std::vector<float> y = run_layer(TypeParam(), problem, {.algorithm = algorithm});
      EXPECT_LE(l2_distance(y, reference.y), float32_tolerance(problem));
    }
  }
}

// Each sum was rounded like a bias that it began with: up to an eighth more than is allowed.
TYPED_TEST(NumericsTest, LongSumsDoNotBeginWithTheirBias) {
  for (const std::int64_t seed : {13672, 45778, 46475, 60067}) this->run_seed(seed);
}

TYPED_TEST(NumericsTest, RandomLayersAreWithinTheirBounds) {
  const std::optional<std::int64_t> one = number_from_environment("FUSEDCONV_NUMERICS_SEED");
  const std::int64_t first =
      one ? *one : number_from_environment("FUSEDCONV_NUMERICS_FIRST").value_or(1);
  const std::int64_t cases =
      one ? 1 : number_from_environment("FUSEDCONV_NUMERICS_CASES").value_or(default_cases);
  this->is_verbose_ = one.has_value();
  constexpr int most_failures = 5;
  int failures = 0;
  for (std::int64_t seed = first; seed < first + cases && failures < most_failures; ++seed) {
    if (!this->run_seed(seed)) ++failures;
  }
  this->report();
}

}  // namespace
}  // namespace fusedconv::test
