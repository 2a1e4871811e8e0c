// SPDX-License-Identifier: Apache-2.0
#include "computation.hpp"

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <exception>
#include <fusedconv/error.hpp>
#include <fusedconv/layer.hpp>
#include <fusedconv/parameters.hpp>
#include <type_traits>
#include <vector>

#include "backend.hpp"
#include "device.hpp"
#include "memory.hpp"
#include "timer.hpp"

namespace fusedconv::app {

namespace {

template <class MemorySpace>
using Images = Kokkos::View<float****, Kokkos::LayoutRight, MemorySpace>;

template <class MemorySpace>
Images<MemorySpace> allocate(const std::string& label, std::int64_t images, std::int64_t channels,
                             std::int64_t height, std::int64_t width) {
  const std::int64_t bytes =
      images * channels * height * width * static_cast<std::int64_t>(sizeof(float));
  try {
    return Images<MemorySpace>(
        Kokkos::view_alloc(Kokkos::WithoutInitializing, "fusedconv::app::" + label), images,
        channels, height, width);
  } catch (const std::exception&) {
    // Which exception Kokkos throws depends on its version and on the memory space.
    throw OutOfMemory(label, MemorySpace::name(), bytes);
  }
}

template <class Space>
class BackendComputation : public Computation {
  using MemorySpace = typename Space::memory_space;
  static constexpr bool on_host =
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, MemorySpace>::accessible;
  using HostMemory = std::conditional_t<on_host, MemorySpace, Kokkos::SharedHostPinnedSpace>;

 public:
  BackendComputation(const Shape& shape, const hdf5::HostParameters& parameters,
                     const Options& options)
      : host_input_(allocate<HostMemory>("input images on the host", shape.batch, shape.in_channels,
                                         shape.height, shape.width)),
        host_output_(allocate<HostMemory>("output images on the host", shape.batch,
                                          shape.out_channels, shape.output_height(),
                                          shape.output_width())),
        layer_(exec_, shape, on_backend(shape, parameters), options) {
    if constexpr (on_host) {
      input_ = host_input_;
      output_ = host_output_;
    } else {
      input_ = allocate<MemorySpace>("input images on the device", shape.batch, shape.in_channels,
                                     shape.height, shape.width);
      output_ =
          allocate<MemorySpace>("output images on the device", shape.batch, shape.out_channels,
                                shape.output_height(), shape.output_width());
    }
  }

  float* input() override { return host_input_.data(); }
  const float* output() const override { return host_output_.data(); }

  ComputeSeconds compute(std::int64_t images, std::int64_t repeat) override {
    ComputeSeconds seconds;
    const auto x = first(input_, images);
    const auto y = first(output_, images);
    if constexpr (!on_host) {
      const Timer timer;
      Kokkos::deep_copy(exec_, x, first(host_input_, images));
      exec_.fence("fusedconv::app: input is on the device");
      seconds.transfer += timer.seconds();
    }
    std::vector<double> runs;
    for (std::int64_t run = 0; run < repeat; ++run) {
      const Timer timer;
      layer_(exec_, x, y);
      exec_.fence("fusedconv::app: chunk is computed");
      runs.push_back(timer.seconds());
    }
    std::sort(runs.begin(), runs.end());
    seconds.minimum = runs.front();
    seconds.median = (runs[(runs.size() - 1) / 2] + runs[runs.size() / 2]) / 2;
    if constexpr (!on_host) {
      const Timer timer;
      Kokkos::deep_copy(exec_, first(host_output_, images), y);
      exec_.fence("fusedconv::app: output is on the host");
      seconds.transfer += timer.seconds();
    }
    return seconds;
  }

 private:
  template <class View>
  static View first(const View& images, std::int64_t count) {
    return View(images.data(), count, images.extent(1), images.extent(2), images.extent(3));
  }

  static Parameters<MemorySpace> on_backend(const Shape& shape,
                                            const hdf5::HostParameters& parameters) {
    const auto vector = [](const std::vector<float>& values) {
      using Host = Kokkos::View<const float*, Kokkos::LayoutRight, Kokkos::HostSpace,
                                Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
      typename Parameters<MemorySpace>::Vector view;
      if (!values.empty()) {
        view =
            Kokkos::create_mirror_view_and_copy(MemorySpace(), Host(values.data(), values.size()));
      }
      return view;
    };
    using HostWeight = Kokkos::View<const float****, Kokkos::LayoutRight, Kokkos::HostSpace,
                                    Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    const HostWeight weight(parameters.conv_weight.data(), shape.out_channels,
                            shape.in_channels_per_group(), shape.kernel_size[0],
                            shape.kernel_size[1]);
    return {.conv_weight = Kokkos::create_mirror_view_and_copy(MemorySpace(), weight),
            .conv_bias = vector(parameters.conv_bias),
            .bias = vector(parameters.bias),
            .scale = vector(parameters.scale),
            .group_norm_weight = vector(parameters.group_norm_weight),
            .group_norm_bias = vector(parameters.group_norm_bias)};
  }

  Space exec_;
  Images<HostMemory> host_input_;
  Images<HostMemory> host_output_;
  Images<MemorySpace> input_;
  Images<MemorySpace> output_;
  Layer<Space> layer_;
};

}  // namespace

std::unique_ptr<Computation> make_computation(const std::string& backend, const Shape& shape,
                                              const hdf5::HostParameters& parameters,
                                              const Options& options) {
  // A system that overcommits would grant what it does not have, and kill the job when it is used.
  const std::int64_t host_bytes = chunk_memory(shape, 0, has_own_memory(backend)).host;
  if (host_bytes > free_host_memory()) {
    throw OutOfMemory("images of a chunk", Kokkos::HostSpace::name(), host_bytes);
  }
  return dispatch_backend(backend, [&](auto tag) -> std::unique_ptr<Computation> {
    using Space = typename decltype(tag)::type;
    return std::make_unique<BackendComputation<Space>>(shape, parameters, options);
  });
}

BackendPlan plan_on(const std::string& backend, const Shape& shape, const Options& options) {
  return dispatch_backend(backend, [&](auto tag) {
    const Plan plan = Layer<typename decltype(tag)::type>::plan(shape, options);
    return BackendPlan{plan.algorithm, plan.description, plan.workspace_bytes};
  });
}

}  // namespace fusedconv::app
