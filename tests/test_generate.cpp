// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <fusedconv/error.hpp>
#include <fusedconv/shape.hpp>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "generate.hpp"
#include "hdf5/handle.hpp"
#include "hdf5/layer_file.hpp"
#include "named_shapes.hpp"
#include "run_program.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

using app::generate_input_file;

const Shape odd_shape{.batch = 3,
                      .in_channels = 6,
                      .height = 11,
                      .width = 13,
                      .out_channels = 10,
                      .kernel_size = {3, 5},
                      .stride = {2, 1},
                      .padding = {1, 2},
                      .dilation = {1, 2},
                      .groups = 2,
                      .num_groups = 5};

const std::vector<std::string> random_tensors{"input", "conv.weight", "conv.bias", "bias", "scale"};

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<float> read(const std::string& path, const std::string& name,
                        const std::vector<std::int64_t>& expected_extents) {
  using namespace app::hdf5;
  const File file = File::open_read_only(path);
  const Dataset dataset = Dataset::open(file, name);
  EXPECT_EQ(dataset.extents(), expected_extents) << name;
  EXPECT_EQ(dataset.type().type_class(), H5T_FLOAT) << name;
  std::int64_t count = 1;
  for (const std::int64_t extent : expected_extents) count *= extent;
  std::vector<float> values(static_cast<std::size_t>(count));
  dataset.read(H5T_NATIVE_FLOAT, values.data());
  return values;
}

double mean(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance(const std::vector<float>& values) {
  const double about = mean(values);
  double squares = 0;
  for (const float value : values) squares += (value - about) * (value - about);
  return squares / static_cast<double>(values.size());
}

/// Mean and variance are those of the distribution, to five standard errors.
void expect_moments(const std::vector<float>& values, double expected_mean,
                    double expected_variance, double expected_kurtosis) {
  const auto count = static_cast<double>(values.size());
  EXPECT_NEAR(mean(values), expected_mean, 5 * std::sqrt(expected_variance / count));
  EXPECT_NEAR(variance(values), expected_variance,
              5 * expected_variance * std::sqrt((expected_kurtosis - 1) / count));
}

TEST(Generate, FileHoldsTheShape) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("x.h5");
  generate_input_file(path, odd_shape, 1);
  const app::hdf5::LayerFile layer = app::hdf5::read_layer_file(path, "");
  EXPECT_EQ(layer.shape, odd_shape);
  read(path, "input", {3, 6, 11, 13});
  read(path, "conv.weight", {10, 3, 3, 5});
  read(path, "conv.bias", {10});
  read(path, "bias", {10, 1, 1});
  read(path, "scale", {10, 1, 1});
  EXPECT_EQ(read(path, "group_norm.weight", {10}), std::vector<float>(10, 1.0F));
  EXPECT_EQ(read(path, "group_norm.bias", {10}), std::vector<float>(10, 0.0F));
}

TEST(Generate, ValuesAreDistributedAsAModuleStarts) {
  const Shape shape{.batch = 2,
                    .in_channels = 12,
                    .height = 40,
                    .width = 50,
                    .out_channels = 4000,
                    .kernel_size = {3, 2},
                    .groups = 2,
                    .num_groups = 4};
  const TemporaryDirectory directory;
  const std::string path = directory.file("x.h5");
  generate_input_file(path, shape, 1);

  constexpr double uniform_kurtosis = 1.8;
  constexpr double normal_kurtosis = 3;
  const std::vector<float> input = read(path, "input", {2, 12, 40, 50});
  EXPECT_GE(*std::min_element(input.begin(), input.end()), 0.0F);
  EXPECT_LT(*std::max_element(input.begin(), input.end()), 1.0F);
  expect_moments(input, 0.5, 1.0 / 12, uniform_kurtosis);

  const double bound = 1 / std::sqrt(6 * 3 * 2);  // fan in: channels of a group times the kernel
  for (const std::vector<float>& values :
       {read(path, "conv.weight", {4000, 6, 3, 2}), read(path, "conv.bias", {4000})}) {
    EXPECT_GE(*std::min_element(values.begin(), values.end()), -static_cast<float>(bound));
    EXPECT_LE(*std::max_element(values.begin(), values.end()), static_cast<float>(bound));
    expect_moments(values, 0, bound * bound / 3, uniform_kurtosis);
  }

  const std::vector<float> bias = read(path, "bias", {4000, 1, 1});
  const std::vector<float> scale = read(path, "scale", {4000, 1, 1});
  expect_moments(bias, 0, 1, normal_kurtosis);
  expect_moments(scale, 0, 1, normal_kurtosis);
  const double correlation =
      std::inner_product(bias.begin(), bias.end(), scale.begin(), 0.0) / 4000;
  EXPECT_NEAR(correlation, 0, 5 / std::sqrt(4000.0));
}

TEST(Generate, BytesDependOnTheSeedAlone) {
  const TemporaryDirectory directory;
  const std::string whole = directory.file("whole.h5");
  generate_input_file(whole, odd_shape, 1);
  for (const std::int64_t block_elements : {1, 7, 60, 1000}) {
    const std::string path = directory.file("blocks.h5");
    generate_input_file(path, odd_shape, 1, block_elements);
    EXPECT_EQ(bytes_of(path), bytes_of(whole)) << "blocks of " << block_elements;
  }
}

TEST(Generate, SeedsDifferInEveryRandomTensor) {
  const TemporaryDirectory directory;
  const std::string one = directory.file("1.h5");
  const std::string two = directory.file("2.h5");
  generate_input_file(one, odd_shape, 1);
  generate_input_file(two, odd_shape, 2);
  const std::vector<std::vector<std::int64_t>> extents{
      {3, 6, 11, 13}, {10, 3, 3, 5}, {10}, {10, 1, 1}, {10, 1, 1}};
  for (std::size_t tensor = 0; tensor < random_tensors.size(); ++tensor) {
    const std::string& name = random_tensors[tensor];
    EXPECT_NE(read(one, name, extents[tensor]), read(two, name, extents[tensor])) << name;
  }
}

TEST(Generate, FailureLeavesNothingBehind) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "x.h5");  // cannot be replaced by a file
  EXPECT_ANY_THROW(generate_input_file(directory.file("x.h5"), odd_shape, 1));
  EXPECT_FALSE(std::filesystem::exists(directory.file("x.h5.part")));
  EXPECT_ANY_THROW(generate_input_file(directory.file("missing/x.h5"), odd_shape, 1));
}

TEST(Generate, NamedShapes) {
  const auto shape = [](std::int64_t n, std::int64_t cin, std::int64_t cout, std::int64_t size,
                        std::int64_t num_groups) {
    return Shape{.batch = n,
                 .in_channels = cin,
                 .height = size,
                 .width = size,
                 .out_channels = cout,
                 .kernel_size = {3, 3},
                 .num_groups = num_groups};
  };
  EXPECT_EQ(app::named_shape("headline"), shape(128, 8, 32, 256, 8));
  EXPECT_EQ(app::named_shape("mid"), shape(32, 64, 128, 128, 32));
  EXPECT_EQ(app::named_shape("wide"), shape(32, 256, 256, 56, 32));
  EXPECT_LT(app::named_shape("tiny").output_size(), 10000);
  EXPECT_THROW(app::named_shape("huge"), InvalidArgument);
  for (const std::string& name : app::shape_names()) {
    EXPECT_NO_THROW(app::named_shape(name).validate());
  }
}

TEST(GenerateProgram, SizesTakeThePlaceOfTheNamedShapes) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("x.h5");
  const ProgramResult result =
      run_program(FUSEDCONV_GENERATE
                  " --shape tiny --n 2 --cin 4 --h 9 --w 12 --cout 6 --kernel 3 2"
                  " --num-groups 3 --stride 2 --padding 1 0 --dilation 1 2 --groups 2 --activation "
                  "silu --seed 5 -o " +
                  path);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const Shape expected{.batch = 2,
                       .in_channels = 4,
                       .height = 9,
                       .width = 12,
                       .out_channels = 6,
                       .kernel_size = {3, 2},
                       .stride = {2, 2},
                       .padding = {1, 0},
                       .dilation = {1, 2},
                       .groups = 2,
                       .num_groups = 3,
                       .activation = Activation::silu};
  EXPECT_EQ(app::hdf5::read_layer_file(path, "").shape, expected);
  EXPECT_NE(result.output.find(to_string(expected)), std::string::npos) << result.output;

  const std::string same = directory.file("same.h5");
  generate_input_file(same, expected, 5);
  EXPECT_EQ(bytes_of(path), bytes_of(same));
}

TEST(GenerateProgram, BadUsageIsToldAndLeavesNothingBehind) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("x.h5");
  const struct {
    std::string options;
    const char* object;  ///< what the message must name
  } cases[] = {{"--shape huge -o " + path, "--shape"},
               {"--shape tiny", "--output"},
               {"--shape tiny --n 0 -o " + path, "input number of images"},
               {"--shape tiny --n many -o " + path, "--n"},
               {"--shape tiny --kernel 3 3 3 -o " + path, "3"},
               {"--shape tiny --num-groups 3 -o " + path, "group_norm.num_groups"},
               {"--shape tiny --kernel 17 -o " + path, "conv.weight"},
               {"--shape tiny --activation mish -o " + path, "activation"},
               {"--shape tiny --seed x -o " + path, "--seed"}};
  for (const auto& [options, object] : cases) {
    SCOPED_TRACE(options);
    const ProgramResult result = run_program(FUSEDCONV_GENERATE " " + options);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.output.find(object), std::string::npos) << result.output;
    EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  }
}

TEST(GenerateProgram, AFileThatCannotBeWrittenIsAFailure) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("missing/x.h5");
  const ProgramResult result = run_program(FUSEDCONV_GENERATE " --shape tiny -o " + path);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find(path), std::string::npos) << result.output;
}

}  // namespace
}  // namespace fusedconv::test
