// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_RUN_LAYER_HPP
#define FUSEDCONV_TESTS_RUN_LAYER_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/layer.hpp>
#include <string>
#include <vector>

#include "problem.hpp"

namespace fusedconv::test {

template <class ExecutionSpace>
using Tensor = Kokkos::View<float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

/// A device copy of a vector; a View that is not allocated for an empty one.
template <class MemorySpace>
Kokkos::View<float*, Kokkos::LayoutRight, MemorySpace> to_device(const std::string& label,
                                                                 const std::vector<float>& values) {
  if (values.empty()) return {};
  using HostView = Kokkos::View<const float*, Kokkos::LayoutRight, Kokkos::HostSpace,
                                Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  Kokkos::View<float*, Kokkos::LayoutRight, MemorySpace> view(label, values.size());
  Kokkos::deep_copy(view, HostView(values.data(), values.size()));
  return view;
}

/// A device copy of values with extents.
template <class MemorySpace>
Kokkos::View<float****, Kokkos::LayoutRight, MemorySpace> to_device(
    const std::string& label, const std::vector<float>& values, std::int64_t n0, std::int64_t n1,
    std::int64_t n2, std::int64_t n3) {
  using HostView = Kokkos::View<const float****, Kokkos::LayoutRight, Kokkos::HostSpace,
                                Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  Kokkos::View<float****, Kokkos::LayoutRight, MemorySpace> view(label, n0, n1, n2, n3);
  Kokkos::deep_copy(view, HostView(values.data(), n0, n1, n2, n3));
  return view;
}

template <class MemorySpace>
Parameters<MemorySpace> device_parameters(const Problem& problem) {
  const Shape& shape = problem.shape;
  Parameters<MemorySpace> parameters;
  parameters.conv_weight = to_device<MemorySpace>("conv.weight", problem.conv_weight,
                                                  shape.out_channels, shape.in_channels_per_group(),
                                                  shape.kernel_size[0], shape.kernel_size[1]);
  parameters.conv_bias = to_device<MemorySpace>("conv.bias", problem.conv_bias);
  parameters.bias = to_device<MemorySpace>("bias", problem.bias);
  parameters.scale = to_device<MemorySpace>("scale", problem.scale);
  parameters.group_norm_weight =
      to_device<MemorySpace>("group_norm.weight", problem.group_norm_weight);
  parameters.group_norm_bias = to_device<MemorySpace>("group_norm.bias", problem.group_norm_bias);
  return parameters;
}

template <class ExecutionSpace>
Tensor<ExecutionSpace> device_input(const Problem& problem) {
  const Shape& shape = problem.shape;
  return to_device<typename ExecutionSpace::memory_space>(
      "input", problem.input, shape.batch, shape.in_channels, shape.height, shape.width);
}

/// An output View that holds NaN, so that what a run leaves out is seen.
template <class ExecutionSpace>
Tensor<ExecutionSpace> device_output(const Shape& shape) {
  Tensor<ExecutionSpace> y("output", shape.batch, shape.out_channels, shape.output_height(),
                           shape.output_width());
  Kokkos::deep_copy(y, Kokkos::Experimental::quiet_NaN_v<float>);
  return y;
}

template <class View>
std::vector<float> to_host(const View& view) {
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, view);
  return std::vector<float>(host.data(), host.data() + host.size());
}

template <class ExecutionSpace>
Layer<ExecutionSpace> make_layer(const ExecutionSpace& exec, const Problem& problem,
                                 const Options& options) {
  using MemorySpace = typename ExecutionSpace::memory_space;
  return Layer<ExecutionSpace>(exec, problem.shape, device_parameters<MemorySpace>(problem),
                               options);
}

/// Runs a layer that was made before on the images of a problem.
template <class ExecutionSpace>
std::vector<float> run_layer(const ExecutionSpace& exec, const Layer<ExecutionSpace>& layer,
                             const Problem& problem) {
  const auto x = device_input<ExecutionSpace>(problem);
  const auto y = device_output<ExecutionSpace>(problem.shape);
  layer(exec, x, y);
  exec.fence("fusedconv::test: end of run");
  return to_host(y);
}

/// Makes a layer and runs it.
template <class ExecutionSpace>
std::vector<float> run_layer(const ExecutionSpace& exec, const Problem& problem,
                             const Options& options = {}) {
  return run_layer(exec, make_layer(exec, problem, options), problem);
}

}  // namespace fusedconv::test

#endif
