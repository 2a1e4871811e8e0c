// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_WINOGRAD_HPP
#define FUSEDCONV_SRC_CONVOLUTION_WINOGRAD_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>

namespace fusedconv::detail {

// Winograd's F(2,3) on rows: 2 output rows of a kernel of 3 rows from 4 input rows d, with 4
// products where 6 are usual (S. Winograd, Arithmetic Complexity of Computations, 1980; Lavin and
// Gray, CVPR 2016):
//
//     m0 = (d0 - d2) g0              m1 = (d1 + d2) (g0 + g1 + g2) / 2
//     m3 = (d1 - d3) (-g2)           m2 = (d2 - d1) (g0 - g1 + g2) / 2
//     y0 = m1 + m2 + m0              y1 = m1 - m2 + m3
//
// Each product is a sum over input channels and kernel columns. Columns are left as they are: that
// would save as much again, at twice the growth of rounding errors.

inline constexpr int winograd_outputs = 2;
inline constexpr int winograd_inputs = 4;

/// Whether the algorithm computes convolutions of this shape.
inline bool winograd_applies(const Shape& shape) {
  return shape.kernel_size[0] == 3 && shape.stride[0] == 1 && shape.dilation[0] == 1;
}

/// Whether it is expected to be the faster one: its input takes more work, once for all output
/// channels of a group.
inline bool winograd_pays(const Shape& shape) {
  return winograd_applies(shape) && shape.output_height() >= winograd_outputs &&
         shape.out_channels_per_group() >= 8;
}

/// The weight of product m_i in a kernel column of weights g.
inline float winograd_weight(const double (&g)[3], std::int64_t i) {
  switch (i) {
    case 0:
      return static_cast<float>(g[0]);
    case 1:
      return static_cast<float>((g[0] + g[1] + g[2]) / 2);
    case 2:
      return static_cast<float>((g[0] - g[1] + g[2]) / 2);
    default:
      return static_cast<float>(-g[2]);
  }
}

}  // namespace fusedconv::detail

#endif
