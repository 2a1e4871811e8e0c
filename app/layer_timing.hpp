// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_LAYER_TIMING_HPP
#define FUSEDCONV_APP_LAYER_TIMING_HPP

#include <cstdint>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>
#include <optional>
#include <string>

namespace fusedconv::app {

/// Seconds of a layer's runs, and how far from float64 they were.
struct LayerTiming {
  double median = 0;
  double minimum = 0;
  double maximum = 0;
  std::optional<double> relative_l2_error;  ///< of the first image
};

/// Times the library alone: runs on RandomLayer's data, which is in the backend's memory already,
/// each from a fence to a fence, after runs to warm up.
/// \param backend    a name in backend_names()
/// \param with_error whether the first image is also computed in float64
/// \throws InvalidArgument if shape or an option is wrong
LayerTiming time_layer(const std::string& backend, const Shape& shape, const Options& options,
                       std::int64_t repetitions, bool with_error);

}  // namespace fusedconv::app

#endif
