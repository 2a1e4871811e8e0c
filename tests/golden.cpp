// SPDX-License-Identifier: Apache-2.0
#include "golden.hpp"

#include <algorithm>
#include <filesystem>

#include "hdf5/handle.hpp"

namespace fusedconv::test {

namespace {

using namespace app::hdf5;

template <class Value>
std::vector<Value> read_dataset(const File& file, const std::string& name, hid_t memory_type) {
  const Dataset dataset = Dataset::open(file, name);
  std::size_t count = 1;
  for (const std::int64_t extent : dataset.extents()) count *= static_cast<std::size_t>(extent);
  std::vector<Value> values(count);
  dataset.read(memory_type, values.data());
  return values;
}

/// Empty where the file has no such dataset.
std::vector<float> read_optional(const File& file, const std::string& name) {
  if (check(H5Lexists(file.id(), name.c_str(), H5P_DEFAULT), name, "look for") == 0) return {};
  return read_dataset<float>(file, name, H5T_NATIVE_FLOAT);
}

void read_if_there(const File& file, const std::string& name, std::int64_t& value) {
  if (Attribute::exists(file, name)) Attribute::open(file, name).read(H5T_NATIVE_INT64, &value);
}

void read_if_there(const File& file, const std::string& name, HeightWidth& value) {
  if (!Attribute::exists(file, name)) return;
  const Attribute attribute = Attribute::open(file, name);
  const bool is_one = attribute.space().extent_class() == H5S_SCALAR;
  attribute.read(H5T_NATIVE_INT64, value.data(), is_one ? 1 : 2);
  if (is_one) value[1] = value[0];
}

}  // namespace

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(FUSEDCONV_TEST_DATA)) {
    if (entry.path().extension() == ".h5") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Golden read_golden(const std::string& name) {
  const File file = File::open_read_only(FUSEDCONV_TEST_DATA "/" + name + ".h5");
  Golden golden;
  Problem& problem = golden.problem;
  problem.input = read_dataset<float>(file, "input", H5T_NATIVE_FLOAT);
  problem.conv_weight = read_dataset<float>(file, "conv.weight", H5T_NATIVE_FLOAT);
  problem.conv_bias = read_optional(file, "conv.bias");
  problem.bias = read_optional(file, "bias");
  problem.scale = read_optional(file, "scale");
  problem.group_norm_weight = read_optional(file, "group_norm.weight");
  problem.group_norm_bias = read_optional(file, "group_norm.bias");
  golden.output = read_dataset<double>(file, "output", H5T_NATIVE_DOUBLE);
  golden.output_float32 = read_dataset<float>(file, "output_float32", H5T_NATIVE_FLOAT);

  Shape& shape = problem.shape;
  const std::vector<std::int64_t> input = Dataset::open(file, "input").extents();
  const std::vector<std::int64_t> weight = Dataset::open(file, "conv.weight").extents();
  shape.batch = input.at(0);
  shape.in_channels = input.at(1);
  shape.height = input.at(2);
  shape.width = input.at(3);
  shape.out_channels = weight.at(0);
  shape.kernel_size = {weight.at(2), weight.at(3)};
  read_if_there(file, "conv.stride", shape.stride);
  read_if_there(file, "conv.padding", shape.padding);
  read_if_there(file, "conv.dilation", shape.dilation);
  read_if_there(file, "conv.groups", shape.groups);
  read_if_there(file, "group_norm.num_groups", shape.num_groups);
  if (Attribute::exists(file, "group_norm.eps")) {
    Attribute::open(file, "group_norm.eps").read(H5T_NATIVE_DOUBLE, &shape.eps);
  }
  if (Attribute::exists(file, "activation")) {
    shape.activation = activation_from_string(read_string_attribute(file, "activation"));
  }
  shape.validate();
  return golden;
}

}  // namespace fusedconv::test
