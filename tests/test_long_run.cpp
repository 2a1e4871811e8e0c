// SPDX-License-Identifier: Apache-2.0
//
// A layer that runs for long ends with no more than it had at first.
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/layer.hpp>
#include <iostream>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "problem.hpp"
#include "process_state.hpp"
#include "run_layer.hpp"
#include "same_bits.hpp"

namespace fusedconv::test {
namespace {

template <class ExecutionSpace>
class LongRun : public testing::Test {};

TYPED_TEST_SUITE(LongRun, ExecutionSpaceTypes, ExecutionSpaceNames);

Problem two_images() {
  Shape shape;
  shape.batch = 2;
  shape.in_channels = 3;
  shape.height = 9;
  shape.width = 7;
  shape.out_channels = 8;
  shape.kernel_size = {3, 3};
  shape.padding = {1, 1};
  shape.num_groups = 2;
  return random_problem(shape, 7);
}

/// \param times of which the first tenth is to warm up
template <class Function>
void expect_no_growth(int times, Function&& function) {
  // Asking touches pages, too.
  process_state();
  for (int i = 0; i < times / 10; ++i) function();
  const ProcessState before = process_state();
  for (int i = times / 10; i < times; ++i) function();
  const ProcessState after = process_state();
  std::cout << times << " times: " << before.resident_bytes << " and then " << after.resident_bytes
            << " bytes\n";
  // Some pages are touched late; 64 bytes lost each time would be more.
  constexpr std::int64_t slack = 256 << 10;
  EXPECT_LE(after.resident_bytes, before.resident_bytes + slack);
  EXPECT_EQ(after.descriptors, before.descriptors);
  EXPECT_EQ(after.threads, before.threads);
}

TYPED_TEST(LongRun, OfALayerTakesNoMore) {
  const Problem problem = two_images();
  const TypeParam exec;
  for (const Algorithm algorithm : available_algorithms<TypeParam>(problem.shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const auto layer = make_layer(exec, problem, {.algorithm = algorithm});
    const auto x = device_input<TypeParam>(problem);
    const auto y = device_output<TypeParam>(problem.shape);
    layer(exec, x, y);
    const std::vector<float> first = to_host(y);
    expect_no_growth(10'000, [&] {
      layer(exec, x, y);
      exec.fence("fusedconv::test: iteration");
    });
    EXPECT_TRUE(same_bits(to_host(y), first));
  }
}

TYPED_TEST(LongRun, OfLayersThatComeAndGoTakesNoMore) {
  const Problem problem = two_images();
  const std::vector<float> first = run_layer(TypeParam(), problem);
  expect_no_growth(2'000, [&] { run_layer(TypeParam(), problem); });
  EXPECT_TRUE(same_bits(run_layer(TypeParam(), problem), first));
}

}  // namespace
}  // namespace fusedconv::test
