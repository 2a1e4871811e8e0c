// SPDX-License-Identifier: Apache-2.0
#include "named_shapes.hpp"

#include <array>
#include <fusedconv/error.hpp>
#include <utility>

namespace fusedconv::app {

namespace {

const std::array<std::pair<const char*, Shape>, 4> shapes{{
    {"headline",
     {.batch = 128,
      .in_channels = 8,
      .height = 256,
      .width = 256,
      .out_channels = 32,
      .kernel_size = {3, 3},
      .num_groups = 8}},
    {"mid",
     {.batch = 32,
      .in_channels = 64,
      .height = 128,
      .width = 128,
      .out_channels = 128,
      .kernel_size = {3, 3},
      .num_groups = 32}},
    {"wide",
     {.batch = 32,
      .in_channels = 256,
      .height = 56,
      .width = 56,
      .out_channels = 256,
      .kernel_size = {3, 3},
      .num_groups = 32}},
    {"tiny",
     {.batch = 4,
      .in_channels = 3,
      .height = 16,
      .width = 16,
      .out_channels = 8,
      .kernel_size = {3, 3},
      .num_groups = 4}},
}};

}  // namespace

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  names.reserve(shapes.size());
  for (const auto& [name, shape] : shapes) names.emplace_back(name);
  return names;
}

Shape named_shape(const std::string& name) {
  std::string expected;
  for (const auto& [known, shape] : shapes) {
    if (name == known) return shape;
    expected += (expected.empty() ? "" : ", ") + std::string(known);
  }
  throw InvalidArgument("shape", "one of " + expected, name);
}

}  // namespace fusedconv::app
