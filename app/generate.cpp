// SPDX-License-Identifier: Apache-2.0
#include "generate.hpp"

#include <filesystem>
#include <system_error>
#include <vector>

#include "hdf5/handle.hpp"
#include "hdf5/images.hpp"
#include "random_layer.hpp"

namespace fusedconv::app {

namespace {

using namespace hdf5;

void write_tensor(const File& file, const std::string& name,
                  const std::vector<std::int64_t>& extents, const RandomTensor& tensor,
                  std::int64_t block_elements) {
  const PropertyList creation(H5P_DATASET_CREATE);
  check(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), name, "ask for no fill value");
  // The same seed gives the same bytes on another day.
  check(H5Pset_obj_track_times(creation.id(), false), name, "leave its times out");
  Dataset dataset =
      Dataset::create(file, name, H5T_IEEE_F32LE, Dataspace::simple(extents), creation.id());
  std::vector<float> values;
  for (const Block& block : blocks_of_images(extents, 0, extents.front(), block_elements)) {
    values.resize(static_cast<std::size_t>(block.size));
    for (std::int64_t index = 0; index < block.size; ++index) {
      values[index] = tensor(block.offset + index);
    }
    Dataspace selection = dataset.space();
    selection.select_hyperslab(block.start, block.count);
    dataset.write(H5T_NATIVE_FLOAT, Dataspace::simple({block.size}), selection, H5P_DEFAULT,
                  values.data());
  }
  dataset.close();
}

void write_attribute(const File& file, const std::string& name, const HeightWidth& value) {
  Attribute::create(file, name, H5T_STD_I64LE, Dataspace::simple({2}))
      .write(H5T_NATIVE_INT64, value.data());
}

void write_file(const std::string& path, const Shape& shape, std::uint64_t seed,
                std::int64_t block_elements) {
  const RandomLayer layer(shape, seed);
  const std::int64_t channels = shape.out_channels;
  File file = File::create(path);

  write_attribute(file, "conv.stride", shape.stride);
  write_attribute(file, "conv.padding", shape.padding);
  write_attribute(file, "conv.dilation", shape.dilation);
  hdf5::write_attribute(file, "conv.groups", shape.groups);
  hdf5::write_attribute(file, "group_norm.num_groups", shape.num_groups);
  hdf5::write_attribute(file, "group_norm.eps", shape.eps);
  hdf5::write_attribute(file, "activation", std::string(to_string(shape.activation)));

  const auto write = [&](const char* name, const std::vector<std::int64_t>& extents,
                         const RandomTensor& tensor) {
    write_tensor(file, name, extents, tensor, block_elements);
  };
  write("conv.weight",
        {channels, shape.in_channels_per_group(), shape.kernel_size[0], shape.kernel_size[1]},
        layer.conv_weight);
  write("conv.bias", {channels}, layer.conv_bias);
  write("bias", {channels, 1, 1}, layer.bias);
  write("scale", {channels, 1, 1}, layer.scale);
  write("group_norm.weight", {channels}, layer.group_norm_weight);
  write("group_norm.bias", {channels}, layer.group_norm_bias);
  write("input", {shape.batch, shape.in_channels, shape.height, shape.width}, layer.input);
  file.close();
}

}  // namespace

void generate_input_file(const std::string& path, const Shape& shape, std::uint64_t seed,
                         std::int64_t block_elements) {
  const std::string part = path + ".part";
  try {
    write_file(part, shape, seed, block_elements);
    std::filesystem::rename(part, path);
  } catch (...) {
    std::error_code ignored;  // of the failure at hand there is more to tell
    std::filesystem::remove(part, ignored);
    throw;
  }
}

}  // namespace fusedconv::app
