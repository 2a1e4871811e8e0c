// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "../team.hpp"
#include "direct_device.hpp"
#include "direct_host.hpp"
#include "first_pass.hpp"
#include "packed_weights.hpp"

namespace fusedconv::detail {

template <class ExecutionSpace>
using DirectPlan =
    std::conditional_t<runs_on_host<ExecutionSpace>, DirectHostPlan, DirectDevicePlan>;

/// The direct convolution of an execution space: packed weights and the tile that fits the space.
template <class ExecutionSpace>
class Direct {
 public:
  using Plan = DirectPlan<ExecutionSpace>;
  using Weight =
      Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  static std::int64_t workspace_bytes(const Plan& plan) {
    return packed_weights_size(plan.geometry, plan.weight_block()) *
           static_cast<std::int64_t>(sizeof(float));
  }

  Direct(const ExecutionSpace& exec, Plan plan, const Weight& weight)
      : plan_(std::make_shared<const Plan>(std::move(plan))),
        weights_(pack_weights(exec, plan_->geometry, plan_->weight_block(), weight)) {
    if constexpr (runs_on_host<ExecutionSpace>) reserve_team_scratch(exec, plan_->scratch_bytes());
  }

  void operator()(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                  const FirstPass<ExecutionSpace>& pass) const {
    if constexpr (runs_on_host<ExecutionSpace>) {
      const DirectHost<ExecutionSpace> tile(plan_, weights_, epilogue, pass);
      for_each_team<Kokkos::Schedule<Kokkos::Dynamic>>("fusedconv::direct_convolution", exec,
                                                       tile.items(), tile, 1, host_scratch());
    } else {
      using Source = DirectDevicePlan::Source;
      switch (plan_->source) {
        case Source::global:
          return launch<Source::global, 0>(exec, epilogue, pass);
        case Source::staged:
          return launch<Source::staged, 0>(exec, epilogue, pass);
        case Source::unrolled:
          switch (plan_->geometry.kernel_width) {
            case 1:
              return launch<Source::unrolled, 1>(exec, epilogue, pass);
            case 3:
              return launch<Source::unrolled, 3>(exec, epilogue, pass);
            case 5:
              return launch<Source::unrolled, 5>(exec, epilogue, pass);
            default:
              return launch<Source::unrolled, 7>(exec, epilogue, pass);
          }
      }
    }
  }

 private:
  Scratch host_scratch() const { return {1, plan_->scratch_bytes()}; }

  template <DirectDevicePlan::Source From, int KernelSize>
  void launch(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
              const FirstPass<ExecutionSpace>& pass) const {
    // 4 teams of 128 threads a multiprocessor leave 128 registers a thread.
    using Bounds = Kokkos::LaunchBounds<DirectDevicePlan::team_size, 4>;
    const DirectDevice<ExecutionSpace, From, KernelSize> tile(*plan_, weights_, epilogue, pass);
    for_each_team<Bounds>("fusedconv::direct_convolution", exec, tile.items(), tile,
                          DirectDevicePlan::team_size, Scratch{0, plan_->scratch_bytes});
  }

  std::shared_ptr<const Plan> plan_;
  PackedWeightsView<ExecutionSpace> weights_;
};

}  // namespace fusedconv::detail

#endif
