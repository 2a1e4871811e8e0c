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
    for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::tensor_core}) {
      if (!can_be_planned<TypeParam>(shape, algorithm)) continue;
      SCOPED_TRACE(to_string(algorithm));
      const Options options{.algorithm = algorithm, .precision = Precision::tf32};
      EXPECT_LE(l2_distance(run_layer(TypeParam(), problem, options), expected), tolerance);
    }
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

#ifdef KOKKOS_ENABLE_CUDA

/// A layer, and the milliseconds that it took an NVIDIA H200 on 1 December 2026.
struct MeasuredLayer {
  Shape shape;
  double direct;
  double tensor_core_fp32;
  double tensor_core_tf32;
};

Shape measured_shape(std::int64_t batch, std::int64_t in_channels, HeightWidth size,
                     std::int64_t out_channels, HeightWidth kernel_size, std::int64_t stride,
                     std::int64_t padding, std::int64_t dilation, std::int64_t groups,
                     std::int64_t num_groups) {
  return {.batch = batch,
          .in_channels = in_channels,
          .height = size[0],
          .width = size[1],
          .out_channels = out_channels,
          .kernel_size = kernel_size,
          .stride = {stride, stride},
          .padding = {padding, padding},
          .dilation = {dilation, dilation},
          .groups = groups,
          .num_groups = num_groups};
}

/// Six layers of use, and random ones that the estimates of times were not made from.
const std::vector<MeasuredLayer> measured_layers{
    {measured_shape(128, 8, {256, 256}, 32, {3, 3}, 1, 0, 1, 1, 8), 1.86, 0.641, 0.535},
    {measured_shape(32, 64, {128, 128}, 128, {3, 3}, 1, 0, 1, 1, 32), 2.38, 0.651, 0.372},
    {measured_shape(32, 256, {56, 56}, 256, {3, 3}, 1, 0, 1, 1, 32), 4.6, 0.912, 0.429},
    {measured_shape(32, 256, {56, 56}, 256, {1, 1}, 1, 0, 1, 1, 32), 1.04, 0.266, 0.201},
    {measured_shape(64, 16, {128, 128}, 32, {5, 5}, 1, 0, 1, 1, 8), 0.864, 0.305, 0.206},
    {measured_shape(1, 8, {4096, 4096}, 32, {3, 3}, 1, 0, 1, 1, 8), 4.07, 1.6, 1.3},
    {measured_shape(24, 2, {126, 104}, 2, {3, 3}, 1, 0, 1, 1, 2), 0.0316, 0.0416, 0.0379},
    {measured_shape(98, 1, {322, 41}, 2, {3, 3}, 1, 1, 1, 1, 1), 0.0672, 0.203, 0.144},
    {measured_shape(15, 4, {383, 795}, 6, {3, 3}, 2, 0, 1, 1, 2), 0.138, 0.677, 0.389},
    {measured_shape(33, 16, {26, 64}, 216, {3, 5}, 1, 1, 1, 4, 2), 0.165, 0.0989, 0.0736},
    {measured_shape(10, 49, {75, 337}, 236, {1, 1}, 1, 0, 1, 1, 4), 0.508, 0.64, 0.433},
    {measured_shape(14, 4, {950, 394}, 24, {5, 5}, 1, 0, 1, 2, 4), 1.36, 3.79, 2.34},
    {measured_shape(8, 14, {138, 165}, 12, {5, 5}, 1, 0, 1, 1, 4), 0.16, 0.0792, 0.0512},
    {measured_shape(45, 13, {16, 151}, 2, {3, 3}, 1, 1, 1, 1, 1), 0.0462, 0.0372, 0.0367},
    {measured_shape(1, 12, {18, 810}, 78, {7, 7}, 1, 3, 1, 1, 2), 0.119, 0.0484, 0.0363},
    {measured_shape(13, 38, {21, 31}, 46, {3, 3}, 1, 1, 1, 1, 2), 0.0673, 0.0346, 0.0296},
    {measured_shape(105, 50, {84, 19}, 54, {5, 5}, 1, 0, 1, 1, 1), 0.856, 0.276, 0.18},
    {measured_shape(5, 8, {83, 175}, 72, {7, 7}, 2, 0, 1, 4, 2), 0.058, 0.0603, 0.054},
    {measured_shape(3, 22, {353, 90}, 124, {3, 1}, 1, 1, 1, 1, 4), 0.235, 0.178, 0.106},
    {measured_shape(3, 144, {77, 68}, 32, {5, 3}, 1, 0, 2, 4, 8), 0.199, 0.0453, 0.0355},
    {measured_shape(72, 16, {772, 67}, 80, {3, 3}, 1, 1, 1, 4, 16), 3.46, 3.68, 2.87},
    {measured_shape(3, 28, {32, 707}, 118, {3, 3}, 1, 0, 1, 1, 2), 0.178, 0.164, 0.0735},
    {measured_shape(6, 23, {168, 840}, 178, {3, 3}, 2, 0, 1, 1, 2), 1.16, 0.799, 0.498},
    {measured_shape(7, 3, {205, 17}, 90, {3, 3}, 1, 0, 1, 1, 2), 0.0432, 0.0362, 0.0272},
    {measured_shape(83, 88, {353, 25}, 28, {3, 3}, 1, 0, 1, 1, 2), 1.8, 0.619, 0.397},
    {measured_shape(20, 122, {25, 39}, 18, {3, 3}, 1, 1, 1, 2, 2), 0.134, 0.0495, 0.0405},
};

TEST(TensorCoreChoice, IsWhatWasMeasuredToBeClearlyFaster) {
  const cudaDeviceProp& device = Kokkos::Cuda().cuda_device_prop();
  if (device.major != 9 || device.minor != 0) {
    GTEST_SKIP() << "expected a GPU of compute capability 9.0, whose times are known, found "
                 << device.major << '.' << device.minor;
  }
  constexpr double clearly = 1.25;
  for (const MeasuredLayer& layer : measured_layers) {
    SCOPED_TRACE(to_string(layer.shape));
    for (const Precision precision : {Precision::fp32, Precision::tf32}) {
      SCOPED_TRACE(to_string(precision));
      const double ratio = layer.direct / (precision == Precision::fp32 ? layer.tensor_core_fp32
                                                                        : layer.tensor_core_tf32);
      if (ratio < clearly && 1 / ratio < clearly) continue;
      EXPECT_EQ(Layer<Kokkos::Cuda>::plan(layer.shape, {.precision = precision}).algorithm,
                ratio > 1 ? Algorithm::tensor_core : Algorithm::direct);
    }
  }
}

#endif

}  // namespace
}  // namespace fusedconv::test
