// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <type_traits>

#include "../normalize.hpp"
#include "../team.hpp"
#include "direct_device.hpp"
#include "direct_device_plan.hpp"
#include "first_pass.hpp"
#include "fused_host.hpp"
#include "packed_weights.hpp"

namespace fusedconv::detail {

/// The direct convolution on a device: packed weights and the kernel that fits the shape.
template <class ExecutionSpace>
class DirectOnDevice {
 public:
  using Plan = DirectDevicePlan;
  using Weight =
      Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  static std::int64_t workspace_bytes(const Plan& plan, std::int64_t) {
    return packed_weights_size(plan.geometry, plan.weight_block()) *
           static_cast<std::int64_t>(sizeof(float));
  }

  DirectOnDevice(const ExecutionSpace& exec, const Plan& plan, const Weight& weight, std::int64_t)
      : plan_(plan), weights_(pack_weights(exec, plan.geometry, plan.weight_block(), weight)) {}

  void operator()(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                  const FirstPass<ExecutionSpace>& pass,
                  const GroupNorm<ExecutionSpace>& group_norm) const {
    activate(exec, epilogue, pass, group_norm);
    group_norm.merge_and_normalize(exec, pass.images, pass.y, pass.block.tiles);
  }

  /// Activations and partial moments alone.
  void activate(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                const FirstPass<ExecutionSpace>& pass, const GroupNorm<ExecutionSpace>&) const {
    using Source = DirectDevicePlan::Source;
    switch (plan_.source) {
      case Source::global:
        return launch<Source::global, 0, false>(exec, epilogue, pass);
      case Source::staged:
        return launch<Source::staged, 0, false>(exec, epilogue, pass);
      case Source::unrolled:
        switch (plan_.geometry.kernel_width) {
          case 1:
            return launch_unrolled<1>(exec, epilogue, pass);
          case 3:
            return launch_unrolled<3>(exec, epilogue, pass);
          case 5:
            return launch_unrolled<5>(exec, epilogue, pass);
          default:
            return launch_unrolled<7>(exec, epilogue, pass);
        }
    }
  }

 private:
  template <int KernelSize>
  void launch_unrolled(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                       const FirstPass<ExecutionSpace>& pass) const {
    constexpr auto source = DirectDevicePlan::Source::unrolled;
    if (plan_.has_largest_tiles()) {
      launch<source, KernelSize, true>(exec, epilogue, pass);
    } else {
      launch<source, KernelSize, false>(exec, epilogue, pass);
    }
  }

  template <DirectDevicePlan::Source From, int KernelSize, bool Largest>
  void launch(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
              const FirstPass<ExecutionSpace>& pass) const {
    // 4 teams of 128 threads a multiprocessor leave 128 registers a thread.
    using Bounds = Kokkos::LaunchBounds<DirectDevicePlan::team_size, 4>;
    const DirectDevice<ExecutionSpace, From, KernelSize, Largest> tile(plan_, weights_, epilogue,
                                                                       pass);
    for_each_team<Bounds>("fusedconv::direct_convolution", exec, tile.items(), tile,
                          DirectDevicePlan::team_size, Scratch{0, plan_.scratch_bytes});
  }

  Plan plan_;
  PackedWeightsView<ExecutionSpace> weights_;
};

/// The block by our own kernels, as the execution space takes it.
template <class ExecutionSpace>
using Direct = std::conditional_t<runs_on_host<ExecutionSpace>, FusedHost<ExecutionSpace>,
                                  DirectOnDevice<ExecutionSpace>>;

template <class ExecutionSpace>
using DirectPlan = typename Direct<ExecutionSpace>::Plan;

}  // namespace fusedconv::detail

#endif
