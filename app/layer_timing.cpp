// SPDX-License-Identifier: Apache-2.0
#include "layer_timing.hpp"

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <algorithm>
#include <fusedconv/layer.hpp>
#include <vector>

#include "backend.hpp"
#include "float64_error.hpp"
#include "random_layer.hpp"
#include "timer.hpp"

namespace fusedconv::app {

namespace {

template <class View>
struct Fill {
  View view;
  RandomTensor tensor;

  KOKKOS_FUNCTION void operator()(std::int64_t index) const { view.data()[index] = tensor(index); }
};

/// A View with a tensor's values.
/// \param label    the tensor's name
/// \tparam DataType float* or float****
template <class DataType, class Space, class... Extents>
auto make_view(const Space& exec, const std::string& label, const RandomTensor& tensor,
               Extents... extents) {
  using View = Kokkos::View<DataType, Kokkos::LayoutRight, typename Space::memory_space>;
  View view(Kokkos::view_alloc(exec, Kokkos::WithoutInitializing, "fusedconv::app::" + label),
            extents...);
  Kokkos::parallel_for(
      "fusedconv::app::fill",
      Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(exec, 0, view.size()),
      Fill<View>{view, tensor});
  return view;
}

template <class Space>
LayerTiming time_layer_on(const Space& exec, const Shape& shape, const Options& options,
                          std::int64_t repetitions, bool with_error) {
  const RandomLayer random(shape, 0);
  Parameters<typename Space::memory_space> parameters;
  parameters.conv_weight = make_view<float****>(exec, "conv.weight", random.conv_weight,
                                                shape.out_channels, shape.in_channels_per_group(),
                                                shape.kernel_size[0], shape.kernel_size[1]);
  const auto vector = [&](const std::string& label, const RandomTensor& tensor) {
    return make_view<float*>(exec, label, tensor, shape.out_channels);
  };
  parameters.conv_bias = vector("conv.bias", random.conv_bias);
  parameters.bias = vector("bias", random.bias);
  parameters.scale = vector("scale", random.scale);
  parameters.group_norm_weight = vector("group_norm.weight", random.group_norm_weight);
  parameters.group_norm_bias = vector("group_norm.bias", random.group_norm_bias);
  const auto x = make_view<float****>(exec, "input", random.input, shape.batch, shape.in_channels,
                                      shape.height, shape.width);
  const auto y =
      make_view<float****>(exec, "output", RandomTensor::constant(0), shape.batch,
                           shape.out_channels, shape.output_height(), shape.output_width());
  const Layer<Space> layer(exec, shape, parameters, options);

  const auto run = [&] {
    exec.fence("fusedconv::app: before the run");
    const Timer timer;
    layer(exec, x, y);
    exec.fence("fusedconv::app: after the run");
    return timer.seconds();
  };
  constexpr int warm_up_runs = 2;
  for (int warm_up = 0; warm_up < warm_up_runs; ++warm_up) run();
  std::vector<double> seconds;
  seconds.reserve(static_cast<std::size_t>(repetitions));
  for (std::int64_t repetition = 0; repetition < repetitions; ++repetition) {
    seconds.push_back(run());
  }

  std::sort(seconds.begin(), seconds.end());
  const std::size_t middle = seconds.size() / 2;
  const double median =
      seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  LayerTiming timing{median, seconds.front(), seconds.back(), std::nullopt};
  if (with_error) {
    const Kokkos::Profiling::ScopedRegion region("fusedconv::app::relative_l2_error");
    timing.relative_l2_error = relative_l2_error(exec, shape, parameters, x, y);
  }
  return timing;
}

}  // namespace

LayerTiming time_layer(const std::string& backend, const Shape& shape, const Options& options,
                       std::int64_t repetitions, bool with_error) {
  const Kokkos::Profiling::ScopedRegion region("fusedconv::app::time_layer");
  return dispatch_backend(backend, [&](auto tag) {
    return time_layer_on(typename decltype(tag)::type(), shape, options, repetitions, with_error);
  });
}

}  // namespace fusedconv::app
