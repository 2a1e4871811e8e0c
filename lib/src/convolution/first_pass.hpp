// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_FIRST_PASS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_FIRST_PASS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/shape.hpp>

#include "../moments.hpp"

namespace fusedconv::detail {

/// The members of Shape that a convolution kernel reads, in a form that device code can hold.
struct Geometry {
  explicit Geometry(const Shape& s)
      : in_channels(s.in_channels),
        height(s.height),
        width(s.width),
        out_channels(s.out_channels),
        output_height(s.output_height()),
        output_width(s.output_width()),
        kernel_height(s.kernel_size[0]),
        kernel_width(s.kernel_size[1]),
        stride_height(s.stride[0]),
        stride_width(s.stride[1]),
        padding_height(s.padding[0]),
        padding_width(s.padding[1]),
        dilation_height(s.dilation[0]),
        dilation_width(s.dilation[1]),
        groups(s.groups),
        group_in_channels(s.in_channels_per_group()),
        group_out_channels(s.out_channels_per_group()) {}

  std::int64_t in_channels, height, width;
  std::int64_t out_channels, output_height, output_width;
  std::int64_t kernel_height, kernel_width;
  std::int64_t stride_height, stride_width;
  std::int64_t padding_height, padding_width;
  std::int64_t dilation_height, dilation_width;
  std::int64_t groups, group_in_channels, group_out_channels;
};

/// What the first pass of a run reads and writes: every algorithm is handed one of these.
template <class ExecutionSpace>
struct FirstPass {
  const float* x;
  float* y;  ///< receives sigmoid((conv2d(x) + bias) * scale)
  std::int64_t images;
  PartialMomentsView<ExecutionSpace> partial;  ///< receives the moments of what is put in y
};

/// Per-channel constants of the epilogue, packed for the kernels.
template <class ExecutionSpace>
struct Epilogue {
  using Vector =
      Kokkos::View<const float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;
  Vector bias;  ///< conv.bias + bias: added before scaling
  Vector scale;
};

}  // namespace fusedconv::detail

#endif
