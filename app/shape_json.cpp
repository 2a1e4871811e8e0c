// SPDX-License-Identifier: Apache-2.0
#include "shape_json.hpp"

namespace fusedconv::app {

nlohmann::ordered_json shape_json(const Shape& shape) {
  return {{"batch", shape.batch},
          {"in_channels", shape.in_channels},
          {"height", shape.height},
          {"width", shape.width},
          {"out_channels", shape.out_channels},
          {"output_height", shape.output_height()},
          {"output_width", shape.output_width()},
          {"kernel_size", shape.kernel_size},
          {"stride", shape.stride},
          {"padding", shape.padding},
          {"dilation", shape.dilation},
          {"groups", shape.groups},
          {"num_groups", shape.num_groups},
          {"eps", shape.eps},
          {"activation", to_string(shape.activation)}};
}

}  // namespace fusedconv::app
