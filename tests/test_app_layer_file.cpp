// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "app_files.hpp"
#include "hdf5/checked_open.hpp"
#include "hdf5/layer_file.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

using app::hdf5::LayerFile;
using app::hdf5::read_layer_file;

class LayerFileTest : public testing::Test {
 protected:
  LayerFileTest() { write_input(input_, problem_); }

  LayerFile read() const { return read_layer_file(input_, ""); }

  TemporaryDirectory directory_;
  std::string input_ = directory_.file("input.h5");
  Problem problem_ = small_problem();
};

TEST_F(LayerFileTest, IsReadWhole) {
  const LayerFile layer = read();
  EXPECT_EQ(layer.shape, problem_.shape);
  EXPECT_EQ(layer.parameters.conv_weight, problem_.conv_weight);
  EXPECT_EQ(layer.parameters.conv_bias, problem_.conv_bias);
  EXPECT_EQ(layer.parameters.bias, problem_.bias);
  EXPECT_EQ(layer.parameters.scale, problem_.scale);
  EXPECT_EQ(layer.parameters.group_norm_weight, problem_.group_norm_weight);
  EXPECT_EQ(layer.parameters.group_norm_bias, problem_.group_norm_bias);
  EXPECT_EQ(layer.input_element_bytes, 4);
}

TEST_F(LayerFileTest, HasDefaultsForWhatIsOptional) {
  for (const char* name : {"conv.bias", "bias", "scale", "group_norm.weight", "group_norm.bias"}) {
    remove_object(input_, name);
  }
  for (const char* name : {"conv.stride", "conv.padding", "conv.dilation", "conv.groups",
                           "group_norm.eps", "activation"}) {
    remove_attribute(input_, name);
  }
  const LayerFile layer = read();
  EXPECT_TRUE(layer.parameters.conv_bias.empty());
  EXPECT_TRUE(layer.parameters.bias.empty());
  EXPECT_TRUE(layer.parameters.scale.empty());
  EXPECT_TRUE(layer.parameters.group_norm_weight.empty());
  EXPECT_TRUE(layer.parameters.group_norm_bias.empty());
  EXPECT_EQ(layer.shape.stride, (HeightWidth{1, 1}));
  EXPECT_EQ(layer.shape.padding, (HeightWidth{0, 0}));
  EXPECT_EQ(layer.shape.dilation, (HeightWidth{1, 1}));
  EXPECT_EQ(layer.shape.groups, 1);
  EXPECT_EQ(layer.shape.eps, 1e-5);
  EXPECT_EQ(layer.shape.activation, Activation::sigmoid);
}

TEST_F(LayerFileTest, TakesOneIntegerForBothAxesAndTwoInTheirOrder) {
  replace_attribute(input_, "conv.stride", std::int64_t{2});
  const std::int64_t one = 1;
  replace_attribute(input_, "conv.padding", H5T_STD_I32BE, {1}, H5T_NATIVE_INT64, &one);
  const std::int64_t two[] = {1, 2};
  replace_attribute(input_, "conv.dilation", H5T_STD_U8LE, {2}, H5T_NATIVE_INT64, two);
  const Shape shape = read().shape;
  EXPECT_EQ(shape.stride, (HeightWidth{2, 2}));
  EXPECT_EQ(shape.padding, (HeightWidth{1, 1}));
  EXPECT_EQ(shape.dilation, (HeightWidth{1, 2}));
}

TEST_F(LayerFileTest, TakesAttributesOfOneElementForScalars) {
  const std::int64_t groups = 2;
  replace_attribute(input_, "group_norm.num_groups", H5T_STD_U16LE, {1}, H5T_NATIVE_INT64, &groups);
  const float eps = 0.5F;
  replace_attribute(input_, "group_norm.eps", H5T_IEEE_F32BE, {1}, H5T_NATIVE_FLOAT, &eps);
  const Shape shape = read().shape;
  EXPECT_EQ(shape.num_groups, 2);
  EXPECT_EQ(shape.eps, 0.5);
}

TEST_F(LayerFileTest, TakesAnIntegerForEps) {
  replace_attribute(input_, "group_norm.eps", std::int64_t{1});
  EXPECT_EQ(read().shape.eps, 1.0);
}

// As C programs, h5py, Fortran and older programs write it.
TEST_F(LayerFileTest, TakesEveryFormOfString) {
  const auto read_as = [this](std::size_t size, H5T_str_t padding, const void* text) {
    const hid_t type = require(H5Tcopy(H5T_C_S1));
    require(H5Tset_size(type, size));
    require(H5Tset_strpad(type, padding));
    replace_attribute(input_, "activation", type, {}, type, text);
    require(H5Tclose(type));
    return read().shape.activation;
  };
  const char* const variable = "gelu_tanh";
  EXPECT_EQ(read_as(H5T_VARIABLE, H5T_STR_NULLTERM, &variable), Activation::gelu_tanh);
  EXPECT_EQ(read_as(5, H5T_STR_NULLTERM, "relu"), Activation::relu);
  EXPECT_EQ(read_as(4, H5T_STR_NULLPAD, "silu"), Activation::silu);
  EXPECT_EQ(read_as(8, H5T_STR_NULLPAD, "silu\0\0\0"), Activation::silu);
  EXPECT_EQ(read_as(8, H5T_STR_SPACEPAD, "identity"), Activation::identity);
  EXPECT_EQ(read_as(8, H5T_STR_SPACEPAD, "tanh    "), Activation::tanh);
}

TEST_F(LayerFileTest, TakesTheActivationAskedForWhereTheFileTellsNone) {
  EXPECT_EQ(read_layer_file(input_, "", Activation::relu).shape.activation, Activation::relu);
  replace_attribute(input_, "activation", std::string("gelu"));
  EXPECT_EQ(read_layer_file(input_, "").shape.activation, Activation::gelu);
  EXPECT_EQ(read_layer_file(input_, "", Activation::gelu).shape.activation, Activation::gelu);
  EXPECT_THROW(read_layer_file(input_, "", Activation::relu), app::hdf5::InvalidFile);
}

TEST_F(LayerFileTest, TakesEveryFormOfBiasAndScale) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8};
  for (const Extents& form : {Extents{8}, Extents{8, 1, 1}, Extents{1, 8, 1, 1}}) {
    replace_dataset(input_, "bias", {form}, values);
    replace_dataset(input_, "scale", {form}, values);
    const LayerFile layer = read();
    EXPECT_EQ(layer.parameters.bias, values);
    EXPECT_EQ(layer.parameters.scale, values);
  }
}

TEST_F(LayerFileTest, ConvertsEveryNumericType) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 127};
  for (const hid_t type : {H5T_STD_I8LE, H5T_STD_U8BE, H5T_STD_I16LE, H5T_STD_U32BE, H5T_STD_I64LE,
                           H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_NATIVE_LDOUBLE}) {
    replace_dataset(input_, "scale", {{8}, type}, values);
    EXPECT_EQ(read().parameters.scale, values);
  }
}

TEST_F(LayerFileTest, ReadsHalfPrecision) {
  const hid_t half = require(H5Tcopy(H5T_IEEE_F32LE));
  require(H5Tset_fields(half, 15, 10, 5, 0, 10));
  require(H5Tset_size(half, 2));
  require(H5Tset_ebias(half, 15));
  const std::vector<float> values{0.5F, -2, 3, 0.25F, 1024, 6, 7, -0.125F};
  replace_dataset(input_, "scale", {{8}, half}, values);
  EXPECT_EQ(read().parameters.scale, values);
  require(H5Tclose(half));
}

TEST_F(LayerFileTest, KeepsInfinityAndNaN) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values(8, infinity);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  replace_dataset(input_, "scale", {{8}, H5T_IEEE_F64LE}, values);
  const std::vector<float> scale = read().parameters.scale;
  EXPECT_EQ(scale[0], infinity);
  EXPECT_NE(scale[3], scale[3]);
}

TEST_F(LayerFileTest, ReadsChunkedDatasets) {
  replace_dataset(input_, "input", {{3, 4, 6, 5}, H5T_IEEE_F32LE, {2, 3, 4, 4}, true},
                  problem_.input);
  EXPECT_EQ(read().shape, problem_.shape);
}

TEST_F(LayerFileTest, TakesParametersFromAnotherFileAndAttributesFromItFirst) {
  const std::string parameters = directory_.file("parameters.h5");
  Problem other = random_problem(problem_.shape, 99);
  other.scale.clear();
  write_input(parameters, other);
  remove_object(parameters, "input");
  replace_attribute(parameters, "group_norm.num_groups", std::int64_t{2});
  remove_attribute(parameters, "conv.padding");
  replace_attribute(input_, "conv.padding", std::int64_t{1});
  remove_object(input_, "conv.weight");

  const LayerFile layer = read_layer_file(input_, parameters);
  EXPECT_EQ(layer.shape.num_groups, 2);
  EXPECT_EQ(layer.shape.padding, (HeightWidth{1, 1}));
  EXPECT_EQ(layer.parameters.conv_weight, other.conv_weight);
  EXPECT_EQ(layer.parameters.group_norm_bias, other.group_norm_bias);
  // Absent there, hence the default: not the scale of the input's own file.
  EXPECT_TRUE(layer.parameters.scale.empty());
}

}  // namespace
}  // namespace fusedconv::test
