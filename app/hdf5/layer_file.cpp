// SPDX-License-Identifier: Apache-2.0
#include "layer_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <fusedconv/error.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "checked_open.hpp"
#include "handle.hpp"
#include "stored_data.hpp"

namespace fusedconv::app::hdf5 {

namespace {

/// Attributes of the root groups of some files: the first file that has one counts.
class Attributes {
 public:
  explicit Attributes(std::vector<std::reference_wrapper<const File>> files)
      : files_(std::move(files)) {}

  std::int64_t integer(const std::string& name, std::optional<std::int64_t> if_absent) const {
    return integers(name, 1, if_absent).front();
  }

  /// One integer stands for both.
  HeightWidth height_width(const std::string& name, std::int64_t if_absent) const {
    const std::vector<std::int64_t> values = integers(name, 2, if_absent);
    return {values.front(), values.back()};
  }

  Activation activation(const std::string& name, std::optional<Activation> demanded) const {
    const File* file = file_with(name);
    if (file == nullptr) return demanded.value_or(Activation::sigmoid);
    const Attribute attribute = Attribute::open(*file, name);
    const std::string expected = "a string";
    const Datatype type = attribute.type();
    if (type.type_class() != H5T_STRING) {
      throw InvalidFile(file->name(), name, expected, type_text(type));
    }
    require_values(*file, attribute, expected, 1);
    try {
      const Activation found = activation_from_string(read_string_attribute(*file, name));
      if (demanded && found != *demanded) {
        throw InvalidArgument(name, std::string(to_string(*demanded)) + ", as asked for",
                              std::string(to_string(found)));
      }
      return found;
    } catch (const InvalidArgument& error) {
      throw InvalidFile(file->name(), error.object(), error.expected(), error.found());
    }
  }

  double number(const std::string& name, double if_absent) const {
    const File* file = file_with(name);
    if (file == nullptr) return if_absent;
    const Attribute attribute = Attribute::open(*file, name);
    const std::string expected = "a number";
    const Datatype type = attribute.type();
    if (!is_numeric(type)) throw InvalidFile(file->name(), name, expected, type_text(type));
    require_values(*file, attribute, expected, 1);
    double value = 0;
    attribute.read(H5T_NATIVE_DOUBLE, &value);
    return value;
  }

 private:
  const File* file_with(const std::string& name) const {
    for (const File& file : files_) {
      if (Attribute::exists(file, name)) return &file;
    }
    return nullptr;
  }

  std::vector<std::int64_t> integers(const std::string& name, std::int64_t most,
                                     std::optional<std::int64_t> if_absent) const {
    const File* file = file_with(name);
    const std::string expected = most == 1 ? "an integer" : "an integer or two";
    if (file == nullptr) {
      if (if_absent) return {*if_absent};
      throw InvalidFile(files_.front().get().name(), name, expected + " as root attribute", "none");
    }
    const Attribute attribute = Attribute::open(*file, name);
    const Datatype type = attribute.type();
    if (type.type_class() != H5T_INTEGER || !is_numeric(type)) {
      throw InvalidFile(file->name(), name, expected, type_text(type));
    }
    std::vector<std::int64_t> values(
        static_cast<std::size_t>(require_values(*file, attribute, expected, most)));
    attribute.read(H5T_NATIVE_INT64, values.data(), static_cast<std::int64_t>(values.size()));
    return values;
  }

  static std::int64_t require_values(const File& file, const Attribute& attribute,
                                     const std::string& expected, std::int64_t most) {
    const Dataspace space = attribute.space();
    if (space.extent_class() == H5S_NULL) {
      throw InvalidFile(file.name(), attribute.name(), expected, "an empty attribute");
    }
    const std::vector<std::int64_t> extents = space.extents();
    const bool fits =
        extents.empty() || (extents.size() == 1 && extents.front() >= 1 && extents.front() <= most);
    if (!fits) {
      throw InvalidFile(file.name(), attribute.name(), expected,
                        "an array of extents " + extents_text(extents));
    }
    return extents.empty() ? 1 : extents.front();
  }

  std::vector<std::reference_wrapper<const File>> files_;
};

std::vector<std::int64_t> require_rank_4(const File& file, const Dataset& dataset,
                                         const std::string& axes) {
  const std::vector<std::int64_t> extents = dataset.extents();
  if (extents.size() != 4) {
    throw InvalidFile(file.name(), dataset.name(), "extents " + axes,
                      "extents " + extents_text(extents));
  }
  return extents;
}

/// Half of the machine's: what decompresses from a small file may be too much to hold.
std::int64_t most_values() {
  const std::int64_t bytes = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  return bytes / 2 / static_cast<std::int64_t>(sizeof(float));
}

std::vector<float> read_floats(const File& file, const Dataset& dataset) {
  require_stored(file, dataset);
  const std::vector<std::int64_t> extents = dataset.extents();
  const std::int64_t count =
      std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
  if (count > most_values()) {
    throw InvalidFile(
        file.name(), dataset.name(),
        "at most " + std::to_string(most_values()) + " values, which take half of the memory",
        std::to_string(count));
  }
  std::vector<float> values(static_cast<std::size_t>(count));
  dataset.read(H5T_NATIVE_FLOAT, values.data());
  return values;
}

/// One value a channel, nothing where the dataset is absent.
/// \param broadcast whether (C, 1, 1) and (1, C, 1, 1) will do as well as (C)
std::vector<float> read_channels(const File& file, const std::string& name, std::int64_t channels,
                                 bool broadcast, const Permissions& permissions) {
  if (!has_object(file, name)) return {};
  const Dataset dataset = open_checked_dataset(file, name, permissions);
  std::vector<std::vector<std::int64_t>> allowed{{channels}};
  if (broadcast) {
    allowed.push_back({channels, 1, 1});
    allowed.push_back({1, channels, 1, 1});
  }
  const std::vector<std::int64_t> extents = dataset.extents();
  if (std::find(allowed.begin(), allowed.end(), extents) == allowed.end()) {
    std::string expected = "extents " + extents_text(allowed.front());
    for (std::size_t form = 1; form < allowed.size(); ++form) {
      expected += " or " + extents_text(allowed[form]);
    }
    throw InvalidFile(file.name(), name, expected, "extents " + extents_text(extents));
  }
  return read_floats(file, dataset);
}

LayerFile read_checked(const File& input_file, const File& parameters_file,
                       const Permissions& permissions, std::optional<Activation> activation) {
  const Dataset input = open_checked_dataset(input_file, "input", permissions);
  const Dataset weight = open_checked_dataset(parameters_file, "conv.weight", permissions);
  const std::vector<std::int64_t> x = require_rank_4(input_file, input, "(N, Cin, H, W)");
  const std::vector<std::int64_t> w =
      require_rank_4(parameters_file, weight, "(Cout, Cin / conv.groups, kH, kW)");
  const Attributes attributes({parameters_file, input_file});

  LayerFile layer;
  layer.shape = {.batch = x[0],
                 .in_channels = x[1],
                 .height = x[2],
                 .width = x[3],
                 .out_channels = w[0],
                 .kernel_size = {w[2], w[3]},
                 .stride = attributes.height_width("conv.stride", 1),
                 .padding = attributes.height_width("conv.padding", 0),
                 .dilation = attributes.height_width("conv.dilation", 1),
                 .groups = attributes.integer("conv.groups", 1),
                 .num_groups = attributes.integer("group_norm.num_groups", std::nullopt),
                 .eps = attributes.number("group_norm.eps", 1e-5),
                 .activation = attributes.activation("activation", activation)};
  try {
    layer.shape.validate();
  } catch (const InvalidArgument& error) {
    const bool in_input = error.object().starts_with("input");
    throw InvalidFile(in_input ? input_file.name() : parameters_file.name(), error.object(),
                      error.expected(), error.found());
  }
  const std::vector<std::int64_t> expected{w[0], layer.shape.in_channels_per_group(), w[2], w[3]};
  if (w != expected) {
    throw InvalidFile(parameters_file.name(), "conv.weight", "extents " + extents_text(expected),
                      "extents " + extents_text(w));
  }
  layer.other_files = require_stored(input_file, input);
  layer.input_element_bytes = static_cast<std::int64_t>(input.type().size());
  const auto channels = [&](const std::string& name, bool broadcast) {
    return read_channels(parameters_file, name, w[0], broadcast, permissions);
  };
  layer.parameters = {.conv_weight = read_floats(parameters_file, weight),
                      .conv_bias = channels("conv.bias", false),
                      .bias = channels("bias", true),
                      .scale = channels("scale", true),
                      .group_norm_weight = channels("group_norm.weight", false),
                      .group_norm_bias = channels("group_norm.bias", false)};
  return layer;
}

}  // namespace

LayerFile read_layer_file(const std::string& input, const std::string& parameters,
                          std::optional<Activation> activation, const Permissions& permissions) {
  try {
    const File input_file = open_checked_file(input);
    if (parameters.empty()) return read_checked(input_file, input_file, permissions, activation);
    return read_checked(input_file, open_checked_file(parameters), permissions, activation);
  } catch (const Error& error) {
    refuse(error.object() == "input" || parameters.empty() ? input : parameters, error);
  }
}

}  // namespace fusedconv::app::hdf5
