// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_SHAPE_JSON_HPP
#define FUSEDCONV_APP_SHAPE_JSON_HPP

#include <fusedconv/shape.hpp>
#include <nlohmann/json.hpp>

namespace fusedconv::app {

/// Every size of a layer under the name of its member, and the output's extents.
nlohmann::ordered_json shape_json(const Shape& shape);

}  // namespace fusedconv::app

#endif
