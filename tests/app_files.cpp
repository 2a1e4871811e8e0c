// SPDX-License-Identifier: Apache-2.0
#include "app_files.hpp"

#include <initializer_list>
#include <stdexcept>

namespace fusedconv::test {

namespace {

hid_t make_space(const Extents& extents) {
  if (extents.empty()) return require(H5Screate(H5S_SCALAR));
  return require(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr));
}

void write_dataset(hid_t file, const std::string& name, const DatasetForm& form,
                   const std::vector<float>& values) {
  const hid_t space = make_space(form.extents);
  const hid_t creation = require(H5Pcreate(H5P_DATASET_CREATE));
  if (!form.chunk.empty()) {
    require(H5Pset_chunk(creation, static_cast<int>(form.chunk.size()), form.chunk.data()));
  }
  if (form.fletcher32) require(H5Pset_fletcher32(creation));
  const hid_t dataset =
      require(H5Dcreate2(file, name.c_str(), form.type, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  if (!values.empty()) {
    require(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
  }
  require(H5Dclose(dataset));
  require(H5Pclose(creation));
  require(H5Sclose(space));
}

void write_attribute(hid_t file, const std::string& name, hid_t stored_type, const Extents& extents,
                     hid_t memory_type, const void* values) {
  const hid_t space = make_space(extents);
  const hid_t attribute =
      require(H5Acreate2(file, name.c_str(), stored_type, space, H5P_DEFAULT, H5P_DEFAULT));
  if (values != nullptr) require(H5Awrite(attribute, memory_type, values));
  require(H5Aclose(attribute));
  require(H5Sclose(space));
}

void write_pair(hid_t file, const std::string& name, const HeightWidth& pair) {
  write_attribute(file, name, H5T_STD_I64LE, {2}, H5T_NATIVE_INT64, pair.data());
}

void write_one(hid_t file, const std::string& name, std::int64_t value) {
  write_attribute(file, name, H5T_STD_I64LE, {}, H5T_NATIVE_INT64, &value);
}

void write_channels(hid_t file, const std::string& name, const std::vector<float>& values) {
  if (!values.empty()) write_dataset(file, name, {{values.size()}}, values);
}

Extents to_extents(std::initializer_list<std::int64_t> extents) {
  return {extents.begin(), extents.end()};
}

/// Calls a function with the open attribute of the dataset `output`.
template <class Read>
void with_output_attribute(const std::string& path, const std::string& name, Read&& read) {
  const hid_t file = require(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t attribute =
      require(H5Aopen_by_name(file, "output", name.c_str(), H5P_DEFAULT, H5P_DEFAULT));
  read(attribute);
  require(H5Aclose(attribute));
  require(H5Fclose(file));
}

}  // namespace

void throw_failure() { throw std::runtime_error("a call of HDF5 failed"); }

void write_input(const std::string& path, const Problem& problem) {
  const Shape& shape = problem.shape;
  const hid_t file = require(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  write_dataset(file, "input",
                {to_extents({shape.batch, shape.in_channels, shape.height, shape.width})},
                problem.input);
  write_dataset(file, "conv.weight",
                {to_extents({shape.out_channels, shape.in_channels_per_group(),
                             shape.kernel_size[0], shape.kernel_size[1]})},
                problem.conv_weight);
  write_channels(file, "conv.bias", problem.conv_bias);
  write_channels(file, "bias", problem.bias);
  write_channels(file, "scale", problem.scale);
  write_channels(file, "group_norm.weight", problem.group_norm_weight);
  write_channels(file, "group_norm.bias", problem.group_norm_bias);
  write_pair(file, "conv.stride", shape.stride);
  write_pair(file, "conv.padding", shape.padding);
  write_pair(file, "conv.dilation", shape.dilation);
  write_one(file, "conv.groups", shape.groups);
  write_one(file, "group_norm.num_groups", shape.num_groups);
  write_attribute(file, "group_norm.eps", H5T_IEEE_F64LE, {}, H5T_NATIVE_DOUBLE, &shape.eps);
  require(H5Fclose(file));
}

Problem small_problem() {
  Shape shape;
  shape.batch = 3;
  shape.in_channels = 4;
  shape.height = 6;
  shape.width = 5;
  shape.out_channels = 8;
  shape.kernel_size = {3, 3};
  shape.num_groups = 4;
  return random_problem(shape, 1);
}

Problem tiny_images(std::int64_t count, std::uint64_t seed) {
  Shape shape;
  shape.batch = count;
  shape.in_channels = 3;
  shape.height = 9;
  shape.width = 7;
  shape.out_channels = 4;
  shape.kernel_size = {3, 3};
  shape.padding = {1, 1};
  shape.num_groups = 2;
  return random_problem(shape, seed);
}

void remove_object(const std::string& path, const std::string& name) {
  change_file(path, [&](hid_t file) {
    if (require(H5Lexists(file, name.c_str(), H5P_DEFAULT)) > 0) {
      require(H5Ldelete(file, name.c_str(), H5P_DEFAULT));
    }
  });
}

void replace_dataset(const std::string& path, const std::string& name, const DatasetForm& form,
                     const std::vector<float>& values) {
  remove_object(path, name);
  change_file(path, [&](hid_t file) { write_dataset(file, name, form, values); });
}

void remove_attribute(const std::string& path, const std::string& name) {
  change_file(path, [&](hid_t file) {
    if (require(H5Aexists(file, name.c_str())) > 0) require(H5Adelete(file, name.c_str()));
  });
}

void replace_attribute(const std::string& path, const std::string& name, hid_t stored_type,
                       const Extents& extents, hid_t memory_type, const void* values) {
  remove_attribute(path, name);
  change_file(path, [&](hid_t file) {
    write_attribute(file, name, stored_type, extents, memory_type, values);
  });
}

void replace_attribute(const std::string& path, const std::string& name, std::int64_t value) {
  replace_attribute(path, name, H5T_STD_I64LE, {}, H5T_NATIVE_INT64, &value);
}

void replace_attribute(const std::string& path, const std::string& name, double value) {
  replace_attribute(path, name, H5T_IEEE_F64LE, {}, H5T_NATIVE_DOUBLE, &value);
}

void replace_attribute(const std::string& path, const std::string& name, const std::string& value) {
  const hid_t type = require(H5Tcopy(H5T_C_S1));
  require(H5Tset_size(type, value.size() + 1));
  replace_attribute(path, name, type, {}, type, value.c_str());
  require(H5Tclose(type));
}

std::vector<float> read_floats(const std::string& path, const std::string& name) {
  const hid_t file = require(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t dataset = require(H5Dopen2(file, name.c_str(), H5P_DEFAULT));
  const hid_t space = require(H5Dget_space(dataset));
  std::vector<float> values(static_cast<std::size_t>(require(H5Sget_simple_extent_npoints(space))));
  require(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
  require(H5Sclose(space));
  require(H5Dclose(dataset));
  require(H5Fclose(file));
  return values;
}

std::int64_t read_integer_attribute(const std::string& path, const std::string& name) {
  std::int64_t value = 0;
  with_output_attribute(
      path, name, [&](hid_t attribute) { require(H5Aread(attribute, H5T_NATIVE_INT64, &value)); });
  return value;
}

std::string read_string_attribute(const std::string& path, const std::string& name) {
  std::string value;
  with_output_attribute(path, name, [&](hid_t attribute) {
    const hid_t type = require(H5Aget_type(attribute));
    value.resize(H5Tget_size(type));
    require(H5Aread(attribute, type, value.data()));
    require(H5Tclose(type));
  });
  return value.substr(0, value.find('\0'));
}

std::size_t address_of(const std::string& path, const std::string& name, hsize_t chunk) {
  const hid_t file = require(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t dataset = require(H5Dopen2(file, name.c_str(), H5P_DEFAULT));
  haddr_t address = H5Dget_offset(dataset);
  if (address == HADDR_UNDEF) {
    const hid_t space = require(H5Dget_space(dataset));
    require(H5Dget_chunk_info(dataset, space, chunk, nullptr, nullptr, &address, nullptr));
    require(H5Sclose(space));
  }
  require(H5Dclose(dataset));
  require(H5Fclose(file));
  return static_cast<std::size_t>(address);
}

}  // namespace fusedconv::test
