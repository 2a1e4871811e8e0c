// SPDX-License-Identifier: Apache-2.0
#include "shape_options.hpp"

#include "named_shapes.hpp"

namespace fusedconv::app {

namespace {

constexpr const char* group = "Shape";

void override_with(const std::optional<std::int64_t>& given, std::int64_t& value) {
  if (given) value = *given;
}

void override_with(const std::vector<std::int64_t>& given, HeightWidth& value) {
  if (!given.empty()) value = {given.front(), given.back()};
}

}  // namespace

ShapeOptions::ShapeOptions(CLI::App& app) {
  app.add_option("--shape", named_, "Named shape; the sizes below take the place of its own")
      ->check(CLI::IsMember(shape_names()))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  const auto size = [&app](const char* name, std::optional<std::int64_t>& value,
                           const char* description) {
    app.add_option(name, value, description)->type_name("INT")->group(group);
  };
  const auto pair = [&app](const char* name, std::vector<std::int64_t>& value,
                           const char* description) {
    app.add_option(name, value, description)->expected(1, 2)->type_name("INT")->group(group);
  };
  size("--n", batch_, "Images");
  size("--cin", in_channels_, "Input channels");
  size("--h", height_, "Input height");
  size("--w", width_, "Input width");
  size("--cout", out_channels_, "Output channels");
  pair("--kernel", kernel_size_, "Kernel height and width, or one number for both");
  size("--num-groups", num_groups_, "Groups of the normalisation");
  pair("--stride", stride_, "Stride of the convolution");
  pair("--padding", padding_, "Zero padding of the convolution");
  pair("--dilation", dilation_, "Dilation of the convolution");
  size("--groups", groups_, "Channel groups of the convolution");
  app.add_option("--activation", activation_,
                 "sigmoid, relu, silu, gelu, gelu_tanh, tanh or identity [sigmoid]")
      ->type_name("NAME")
      ->group(group);
}

Shape ShapeOptions::shape() const {
  Shape shape = named_shape(named_);
  override_with(batch_, shape.batch);
  override_with(in_channels_, shape.in_channels);
  override_with(height_, shape.height);
  override_with(width_, shape.width);
  override_with(out_channels_, shape.out_channels);
  override_with(kernel_size_, shape.kernel_size);
  override_with(stride_, shape.stride);
  override_with(padding_, shape.padding);
  override_with(dilation_, shape.dilation);
  override_with(groups_, shape.groups);
  override_with(num_groups_, shape.num_groups);
  if (!activation_.empty()) shape.activation = activation_from_string(activation_);
  shape.validate();
  return shape;
}

std::string ShapeOptions::name() const {
  const Shape chosen = shape();
  return named_shape(named_).with_batch(chosen.batch) == chosen ? named_ : to_string(chosen);
}

}  // namespace fusedconv::app
