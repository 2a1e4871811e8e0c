// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_FLOAT64_ERROR_HPP
#define FUSEDCONV_APP_FLOAT64_ERROR_HPP

#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstdint>
#include <fusedconv/parameters.hpp>
#include <fusedconv/shape.hpp>

#include "float64_activation.hpp"

namespace fusedconv::app {

/// The first image's channels of one group of the normalisation in float64, by the block's
/// definition: one plain loop for each formula.
template <class Space>
struct Float64Group {
  using Memory = typename Space::memory_space;
  using Images = Kokkos::View<const float****, Kokkos::LayoutRight, Memory>;
  using value_type = double;  ///< of the sums
  /// The activations.
  struct Activate {};
  /// Their sum.
  struct Sum {};
  /// The sum of their squared deviations from the mean.
  struct Deviation {};
  /// The sum of the squared differences between the layer's output and this one.
  struct Error {};
  /// The sum of this output's squares.
  struct Norm {};

  Float64Group(const Shape& shape, const Parameters<Memory>& its_parameters, const Images& input,
               const Images& output, const Kokkos::View<double*, Memory>& workspace)
      : parameters(its_parameters),
        x(input),
        y(output),
        activations(workspace),
        group_in_channels(shape.in_channels_per_group()),
        group_out_channels(shape.out_channels_per_group()),
        height(shape.height),
        width(shape.width),
        output_width(shape.output_width()),
        output_area(shape.output_area()),
        eps(shape.eps),
        activation(shape.activation) {
    for (int axis = 0; axis < 2; ++axis) {
      kernel_size[axis] = shape.kernel_size[axis];
      stride[axis] = shape.stride[axis];
      padding[axis] = shape.padding[axis];
      dilation[axis] = shape.dilation[axis];
    }
  }

  KOKKOS_FUNCTION void operator()(Activate, std::int64_t index) const {
    const std::int64_t c = channel(index);
    const std::int64_t first_in_channel = c / group_out_channels * group_in_channels;
    double sum = 0;
    for (std::int64_t k = 0; k < group_in_channels; ++k) {
      for (std::int64_t i = 0; i < kernel_size[0]; ++i) {
        const std::int64_t h = row(index) * stride[0] - padding[0] + i * dilation[0];
        if (h < 0 || h >= height) continue;
        for (std::int64_t j = 0; j < kernel_size[1]; ++j) {
          const std::int64_t w = column(index) * stride[1] - padding[1] + j * dilation[1];
          if (w < 0 || w >= width) continue;
          sum += static_cast<double>(parameters.conv_weight(c, k, i, j)) *
                 static_cast<double>(x(0, first_in_channel + k, h, w));
        }
      }
    }
    const double shifted = sum + static_cast<double>(parameters.conv_bias(c)) +
                           static_cast<double>(parameters.bias(c));
    activations(index) =
        float64_activation(activation, shifted * static_cast<double>(parameters.scale(c)));
  }
  KOKKOS_FUNCTION void operator()(Sum, std::int64_t index, double& sum) const {
    sum += activations(index);
  }
  KOKKOS_FUNCTION void operator()(Deviation, std::int64_t index, double& sum) const {
    const double deviation = activations(index) - mean;
    sum += deviation * deviation;
  }
  KOKKOS_FUNCTION void operator()(Error, std::int64_t index, double& sum) const {
    const double error =
        static_cast<double>(y(0, channel(index), row(index), column(index))) - output(index);
    sum += error * error;
  }
  KOKKOS_FUNCTION void operator()(Norm, std::int64_t index, double& sum) const {
    sum += output(index) * output(index);
  }

  KOKKOS_FUNCTION std::int64_t channel(std::int64_t index) const {
    return first_channel + index / output_area;
  }
  KOKKOS_FUNCTION std::int64_t row(std::int64_t index) const {
    return index % output_area / output_width;
  }
  KOKKOS_FUNCTION std::int64_t column(std::int64_t index) const { return index % output_width; }
  KOKKOS_FUNCTION double output(std::int64_t index) const {
    const std::int64_t c = channel(index);
    return (activations(index) - mean) / Kokkos::sqrt(variance + eps) *
               static_cast<double>(parameters.group_norm_weight(c)) +
           static_cast<double>(parameters.group_norm_bias(c));
  }

  Parameters<Memory> parameters;  ///< none of them left empty
  Images x;
  Images y;
  Kokkos::View<double*, Memory> activations;  ///< (channels of the group, output rows, columns)
  std::int64_t group_in_channels;             ///< of the convolution's group
  std::int64_t group_out_channels;
  std::int64_t height;
  std::int64_t width;
  std::int64_t output_width;
  std::int64_t output_area;
  double eps;
  Activation activation;
  std::int64_t kernel_size[2] = {};
  std::int64_t stride[2] = {};
  std::int64_t padding[2] = {};
  std::int64_t dilation[2] = {};
  std::int64_t first_channel = 0;
  double mean = 0;
  double variance = 0;
};

/// The relative L2 error of the first image of y, a layer's output for x, to the same in float64.
/// Takes double-precision memory for the output of one group of the normalisation.
/// \param parameters none of them left empty
template <class Space>
double relative_l2_error(
    const Space& exec, const Shape& shape,
    const Parameters<typename Space::memory_space>& parameters,
    const Kokkos::View<float****, Kokkos::LayoutRight, typename Space::memory_space>& x,
    const Kokkos::View<float****, Kokkos::LayoutRight, typename Space::memory_space>& y) {
  using Group = Float64Group<Space>;
  const std::int64_t size = shape.channels_per_norm_group() * shape.output_area();
  Group group(
      shape, parameters, x, y,
      Kokkos::View<double*, typename Space::memory_space>(
          Kokkos::view_alloc(exec, Kokkos::WithoutInitializing, "fusedconv::app::activations"),
          size));
  const auto sum_of = [&](auto tag) {
    double sum = 0;
    Kokkos::parallel_reduce(
        "fusedconv::app::float64 sum",
        Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>, decltype(tag)>(exec, 0, size),
        group, sum);
    return sum;
  };
  double error = 0;
  double norm = 0;
  for (; group.first_channel < shape.out_channels;
       group.first_channel += shape.channels_per_norm_group()) {
    Kokkos::parallel_for(
        "fusedconv::app::float64 activations",
        Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>, typename Group::Activate>(
            exec, 0, size),
        group);
    group.mean = sum_of(typename Group::Sum{}) / static_cast<double>(size);
    group.variance = sum_of(typename Group::Deviation{}) / static_cast<double>(size);
    error += sum_of(typename Group::Error{});
    norm += sum_of(typename Group::Norm{});
  }
  return std::sqrt(error / norm);
}

}  // namespace fusedconv::app

#endif
