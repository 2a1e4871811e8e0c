// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_NAMED_SHAPES_HPP
#define FUSEDCONV_APP_NAMED_SHAPES_HPP

#include <fusedconv/shape.hpp>
#include <string>
#include <vector>

/// The shapes that inputs are generated and measurements are made for.
namespace fusedconv::app {

std::vector<std::string> shape_names();

/// \throws InvalidArgument listing the names there are
Shape named_shape(const std::string& name);

}  // namespace fusedconv::app

#endif
