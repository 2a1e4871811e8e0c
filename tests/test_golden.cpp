// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "golden.hpp"
#include "reference.hpp"
#include "rounding.hpp"
#include "run_layer.hpp"

namespace fusedconv::test {
namespace {

/// The L2 distance over the elements that are numbers in `expected`; those that are NaN there must
/// be NaN here, and no others.
double distance_to_pytorch(const std::vector<float>& y, const std::vector<double>& expected) {
  std::vector<float> numbers = y;
  std::vector<double> expected_numbers = expected;
  for (std::size_t index = 0; index < expected.size(); ++index) {
    EXPECT_EQ(std::isnan(y.at(index)), std::isnan(expected[index])) << "element " << index;
    if (std::isnan(expected[index])) numbers[index] = 0, expected_numbers[index] = 0;
  }
  return l2_distance(numbers, expected_numbers);
}

/// The problem with 0 for every input that is no number: what a tolerance can be derived from.
Problem finite(Problem problem) {
  std::replace_if(
      problem.input.begin(), problem.input.end(), [](float x) { return !std::isfinite(x); }, 0.0F);
  return problem;
}

TEST(Golden, ThereAreFiles) { EXPECT_GE(golden_names().size(), 20U); }

// The oracle is PyTorch's function, to double precision.
TEST(Golden, ReferenceIsPyTorchsFunction) {
  for (const std::string& name : golden_names()) {
    SCOPED_TRACE(name);
    const Golden golden = read_golden(name);
    const std::vector<double> y = reference(golden.problem);
    ASSERT_EQ(y.size(), golden.output.size());
    for (std::size_t index = 0; index < y.size(); ++index) {
      if (std::isnan(golden.output[index])) {
        ASSERT_TRUE(std::isnan(y[index])) << "element " << index;
      } else {
        ASSERT_NEAR(y[index], golden.output[index], 1e-11) << "element " << index;
      }
    }
  }
}

template <class ExecutionSpace>
class GoldenTest : public testing::Test {};

TYPED_TEST_SUITE(GoldenTest, ExecutionSpaceTypes, ExecutionSpaceNames);

TYPED_TEST(GoldenTest, LayerIsFloat32Accurate) {
  for (const std::string& name : golden_names()) {
    SCOPED_TRACE(name);
    const Golden golden = read_golden(name);
    const double tolerance = float32_tolerance(finite(golden.problem));
    for (const Algorithm algorithm : available_algorithms<TypeParam>(golden.problem.shape)) {
      SCOPED_TRACE(to_string(algorithm));
      const std::vector<float> y = run_layer(TypeParam(), golden.problem, {.algorithm = algorithm});
      EXPECT_LE(distance_to_pytorch(y, golden.output), tolerance);
    }
  }
}

// Where statistics are hard PyTorch's own float32 result is the bar.
TYPED_TEST(GoldenTest, LayerIsNoWorseThanPyTorchInFloat32WhereStatisticsAreHard) {
  for (const char* name :
       {"far_mean", "farther_mean", "one_value_groups", "saturated", "zero_variance"}) {
    SCOPED_TRACE(name);
    const Golden golden = read_golden(name);
    for (const Algorithm algorithm : available_algorithms<TypeParam>(golden.problem.shape)) {
      SCOPED_TRACE(to_string(algorithm));
      const std::vector<float> y = run_layer(TypeParam(), golden.problem, {.algorithm = algorithm});
      EXPECT_LE(distance_to_pytorch(y, golden.output),
                distance_to_pytorch(golden.output_float32, golden.output));
    }
  }
}

}  // namespace
}  // namespace fusedconv::test
