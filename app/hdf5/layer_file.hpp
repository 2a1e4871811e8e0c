// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_LAYER_FILE_HPP
#define FUSEDCONV_APP_HDF5_LAYER_FILE_HPP

#include <cstdint>
#include <fusedconv/activation.hpp>
#include <fusedconv/shape.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "permissions.hpp"

namespace fusedconv::app::hdf5 {

/// The learnable tensors in host memory; one that is empty stands for its default
/// (fusedconv::Parameters).
struct HostParameters {
  std::vector<float> conv_weight;        ///< (out_channels, in_channels / groups, kH, kW)
  std::vector<float> conv_bias;          ///< (out_channels)
  std::vector<float> bias;               ///< (out_channels)
  std::vector<float> scale;              ///< (out_channels)
  std::vector<float> group_norm_weight;  ///< (out_channels)
  std::vector<float> group_norm_bias;    ///< (out_channels)

  friend bool operator==(const HostParameters&, const HostParameters&) = default;
};

/// A layer as files describe it; the images stay in the file.
struct LayerFile {
  Shape shape;
  HostParameters parameters;
  std::int64_t input_element_bytes = 0;  ///< of an element of `input` as it is stored
  /// Further files in which data of `input` lies, if that is allowed.
  std::set<std::string> other_files;
};

/// Reads everything but the images, and checks everything.
/// \param input      file with the dataset `input`
/// \param parameters file with the learnable tensors, empty for `input` itself. A hyper-parameter
/// is
///                   taken from this file's attribute, and where it has none from that of `input`.
/// \param activation of files without the attribute `activation`, instead of sigmoid
/// \param permissions for what the files demand
/// \throws InvalidFile naming the file, the object, what was expected and what was found, also
/// where
///         the attribute is there and another than the activation asked for
/// \throws Error if the system fails to read what the file has
LayerFile read_layer_file(const std::string& input, const std::string& parameters,
                          std::optional<Activation> activation = std::nullopt,
                          const Permissions& permissions = {});

}  // namespace fusedconv::app::hdf5

#endif
