// SPDX-License-Identifier: Apache-2.0
// The tensor cores' precisions and where they are used. What test_layer.cpp asks of every algorithm
// is not repeated.
#include <gtest/gtest.h>

#include <cstdint>
#include <fusedconv/error.hpp>
#include <fusedconv/layer.hpp>
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
class TensorCoreTest : public testing::Test {
 protected:
  /// NVIDIA GPUs have tensor cores; all that Kokkos 4.5 and its successors are built for since
  /// compute capability 8.0 have those that the kernel takes.
  static bool has_tensor_cores() {
#ifdef KOKKOS_ENABLE_CUDA
    if constexpr (std::is_same_v<ExecutionSpace, Kokkos::Cuda>) {
      return Kokkos::Cuda().cuda_device_prop().major >= 8;
    }
#endif
    return false;
  }
};

TYPED_TEST_SUITE(TensorCoreTest, ExecutionSpaceTypes, ExecutionSpaceNames);

const Shape common{.batch = 2,
                   .in_channels = 8,
                   .height = 70,
                   .width = 90,
                   .out_channels = 32,
                   .kernel_size = {3, 3},
                   .num_groups = 8};

TYPED_TEST(TensorCoreTest, IsPlannedWhereTheDeviceHasIt) {
  EXPECT_EQ(can_be_planned<TypeParam>(common, Algorithm::tensor_core), this->has_tensor_cores());
  const Algorithm chosen = Layer<TypeParam>::plan(common).algorithm;
  EXPECT_EQ(chosen == Algorithm::tensor_core, this->has_tensor_cores());
}

TYPED_TEST(TensorCoreTest, IsForSigmoidAloneAndSaysSo) {
  Shape shape = common;
  shape.activation = Activation::relu;
  EXPECT_FALSE(can_be_planned<TypeParam>(shape, Algorithm::tensor_core));
  const Plan plan = Layer<TypeParam>::plan(shape);
  EXPECT_NE(plan.algorithm, Algorithm::tensor_core);
  EXPECT_EQ(plan.description.find("tensor cores' statistics are of values between 0 and 1, which "
                                  "those of relu need not be") != std::string::npos,
            this->has_tensor_cores());
}

/// Operands of 11 significant bits are wrong by 2^-12 at most; errors of many products average out,
/// but where activations of a group hardly differ GroupNorm enlarges what is left.
TYPED_TEST(TensorCoreTest, Tf32IsAsAccurateAsItsOperands) {
  std::uint64_t seed = 0;
  std::vector<NamedShape> shapes = shape_grid;
  shapes.insert(shapes.end(), large_images.begin(), large_images.end());
  for (const auto& [name, shape] : shapes) {
    SCOPED_TRACE(name);
    const Problem problem = random_problem(shape, ++seed);
    const std::vector<double> expected = reference(problem);
    constexpr double operand_bits_lost = 0x1p13;  // of 24, 11 are left
    const double tolerance = operand_bits_lost * float32_tolerance(problem);
    EXPECT_LE(
        l2_distance(run_layer(TypeParam(), problem, {.precision = Precision::tf32}), expected),
        tolerance);
  }
}

TYPED_TEST(TensorCoreTest, Tf32IsFloat32WhereThereAreNone) {
  if (this->has_tensor_cores()) {
    // Rounding the operands must show, or it was not done.
    const Problem problem = random_problem(common, 1);
    EXPECT_GT(l2_distance(run_layer(TypeParam(), problem, {.precision = Precision::tf32}),
                          reference(problem)),
              float32_tolerance(problem));
    return;
  }
  const Problem problem = random_problem(common, 1);
  EXPECT_TRUE(same_bits(run_layer(TypeParam(), problem, {.precision = Precision::tf32}),
                        run_layer(TypeParam(), problem)));
}

}  // namespace
}  // namespace fusedconv::test
