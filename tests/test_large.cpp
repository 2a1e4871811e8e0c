// SPDX-License-Identifier: Apache-2.0
// Element counts beyond 2^31, with 9 GB in one View. Runs where FUSEDCONV_TEST_LARGE is 1.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "reference.hpp"
#include "rounding.hpp"
#include "run_layer.hpp"
#include "same_bits.hpp"

namespace fusedconv::test {
namespace {

constexpr std::int64_t edge = 8192;
constexpr std::int64_t two_to_31 = std::int64_t{1} << 31;

template <class ExecutionSpace>
class LargeTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* wanted = std::getenv("FUSEDCONV_TEST_LARGE");
    if (wanted == nullptr || std::string(wanted) != "1") {
      GTEST_SKIP() << "needs 13 GB; FUSEDCONV_TEST_LARGE is not 1";
    }
  }
};

TYPED_TEST_SUITE(LargeTest, ExecutionSpaceTypes, ExecutionSpaceNames);

template <class ExecutionSpace>
using Images = Kokkos::View<float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

/// Repeats one image for all of a batch.
template <class ExecutionSpace>
Images<ExecutionSpace> repeated(const Problem& one, std::int64_t batch) {
  const auto image = device_input<ExecutionSpace>(one);
  const Shape& shape = one.shape;
  const Images<ExecutionSpace> x(Kokkos::view_alloc("input", Kokkos::WithoutInitializing), batch,
                                 shape.in_channels, shape.height, shape.width);
  for (std::int64_t n = 0; n < batch; ++n) {
    Kokkos::deep_copy(
        Kokkos::subview(x, Kokkos::pair(n, n + 1), Kokkos::ALL, Kokkos::ALL, Kokkos::ALL), image);
  }
  return x;
}

template <class ExecutionSpace>
std::vector<float> image_of(const Images<ExecutionSpace>& y, std::int64_t n) {
  return to_host(Kokkos::subview(y, Kokkos::pair(n, n + 1), Kokkos::ALL, Kokkos::ALL, Kokkos::ALL));
}

/// Runs a batch of equal images, and each must come out as one alone does.
template <class ExecutionSpace>
void expect_every_image_as_one_alone(const Problem& one, std::int64_t batch) {
  for (const Algorithm algorithm : available_algorithms<ExecutionSpace>(one.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const ExecutionSpace exec;
    const std::vector<float> alone = run_layer(exec, one, {.algorithm = algorithm});
    const Shape shape = one.shape.with_batch(batch);
    const Layer<ExecutionSpace> layer(exec, shape,
                                      device_parameters<typename ExecutionSpace::memory_space>(one),
                                      {.algorithm = algorithm});
    const auto x = repeated<ExecutionSpace>(one, batch);
    const auto y = device_output<ExecutionSpace>(shape);
    layer(exec, x, y);
    exec.fence("fusedconv::test: end of run");
    for (std::int64_t n = 0; n < batch; ++n) {
      ASSERT_TRUE(same_bits(image_of<ExecutionSpace>(y, n), alone)) << "image " << n;
    }
  }
}

TYPED_TEST(LargeTest, OutputOfManyImages) {
  const Problem one = random_problem(
      {.height = edge / 2, .width = edge / 2, .out_channels = 16, .num_groups = 2}, 1);
  ASSERT_GT(one.shape.with_batch(9).output_size(), two_to_31);
  expect_every_image_as_one_alone<TypeParam>(one, 9);
}

TYPED_TEST(LargeTest, InputOfManyImages) {
  const Problem one = random_problem({.in_channels = 4,
                                      .height = edge,
                                      .width = edge,
                                      .out_channels = 2,
                                      .kernel_size = {3, 3},
                                      .stride = {8, 8}},
                                     1);
  ASSERT_GT(one.shape.with_batch(9).input_size(), two_to_31);
  expect_every_image_as_one_alone<TypeParam>(one, 9);
}

// Every channel is a group, so that the last one, whose elements lie beyond 2^31, is the output of
// a layer of that channel alone.
TYPED_TEST(LargeTest, OutputOfOneImage) {
  constexpr std::int64_t channels = 33;
  const Problem problem = random_problem(
      {.height = edge, .width = edge, .out_channels = channels, .num_groups = channels}, 1);
  ASSERT_GT(problem.shape.output_size(), two_to_31);

  Problem last = problem;
  last.shape.out_channels = 1;
  last.shape.num_groups = 1;
  for (const auto parameter :
       {&Problem::conv_weight, &Problem::conv_bias, &Problem::bias, &Problem::scale,
        &Problem::group_norm_weight, &Problem::group_norm_bias}) {
    last.*parameter = {(problem.*parameter).back()};
  }
  const std::vector<double> expected = reference(last);
  const double tolerance = float32_tolerance(last);

  for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const TypeParam exec;
    const Layer<TypeParam> layer = make_layer(exec, problem, {.algorithm = algorithm});
    const auto x = device_input<TypeParam>(problem);
    const auto y = device_output<TypeParam>(problem.shape);
    layer(exec, x, y);
    exec.fence("fusedconv::test: end of run");
    const auto channel = Kokkos::subview(y, 0, channels - 1, Kokkos::ALL, Kokkos::ALL);
    EXPECT_LE(l2_distance(to_host(channel), expected), tolerance);
  }
}

}  // namespace
}  // namespace fusedconv::test
