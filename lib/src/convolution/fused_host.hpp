// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_FUSED_HOST_HPP
#define FUSEDCONV_SRC_CONVOLUTION_FUSED_HOST_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <fusedconv/options.hpp>
#include <memory>
#include <utility>

#include "../in_order_work.hpp"
#include "../normalize.hpp"
#include "../team.hpp"
#include "direct_host.hpp"
#include "direct_host_plan.hpp"
#include "first_pass.hpp"
#include "host_weights.hpp"
#include "winograd.hpp"

namespace fusedconv::detail {

/// What one host thread does of a run, as often as there is work left.
///
/// A unit is a set of an image's channels. Its first stage convolves and activates tiles; once all
/// of their moments are there, its second stage normalises what is still in the cache. Where a pass
/// is not to normalise, there is no second stage.
template <class ExecutionSpace>
struct FusedHostThread {
  using Team = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;

  /// Planes are normalised together until they have this many elements.
  static constexpr std::int64_t normalized_at_once = 2 * Normalize<ExecutionSpace>::piece;

  FusedHostThread(const std::shared_ptr<const DirectHostPlan>& host_plan,
                  const HostWeights<ExecutionSpace>& direct_weights,
                  const HostWeights<ExecutionSpace>& transformed_weights,
                  const Epilogue<ExecutionSpace>& epilogue, const FirstPass<ExecutionSpace>& pass,
                  const GroupNorm<ExecutionSpace>& group_norm,
                  const InOrderWork<ExecutionSpace>& in_order_work, bool normalizes, int threads)
      : plan(host_plan),
        convolve(host_plan, direct_weights, transformed_weights, epilogue, pass),
        merge(group_norm.merge_moments()),
        normalize(group_norm.normalize(pass.y, pass.block.tiles)),
        work(in_order_work),
        groups_per_set(plan->channels_per_set / group_norm.channels_per_group()),
        channels_per_item(item_channels(pass, threads)),
        items_across((plan->channels_per_set + channels_per_item - 1) / channels_per_item),
        pieces_per_set(plan->channels_per_set * normalize.pieces_per_plane),
        pieces_at_once(std::min(
            pieces_per_set, (normalized_at_once - 1) / std::min(normalize.plane_size,
                                                                Normalize<ExecutionSpace>::piece) +
                                1)),
        lanes{pass.images * sets(), items_across * pass.block.tiles.size(),
              normalizes ? (pieces_per_set + pieces_at_once - 1) / pieces_at_once : 0,
              lane_count(pass, threads), threads} {}

  /// All channels of a set share a patch unless there are too few tiles to keep all threads busy.
  std::int64_t item_channels(const FirstPass<ExecutionSpace>& pass, int threads) const {
    constexpr std::int64_t items_per_thread = 8;
    constexpr std::int64_t min_channels = 32;
    const std::int64_t tiles = pass.images * sets() * pass.block.tiles.size();
    const std::int64_t across = (items_per_thread * threads + tiles - 1) / tiles;
    const std::int64_t channels = std::max(min_channels, plan->channels_per_set / across);
    const std::int64_t alignment = plan->channel_alignment;
    return std::min(plan->channels_per_set, (channels + alignment - 1) / alignment * alignment);
  }

  /// As many as there are threads, if caches hold the activations of a unit for each; else as many
  /// as caches hold two for.
  std::int64_t lane_count(const FirstPass<ExecutionSpace>& pass, int threads) const {
    constexpr std::int64_t mebibyte = 1024 * 1024;
    // Of the third level. A small processor has no less, cores of large ones have this much each.
    const std::int64_t cache_bytes =
        std::max<std::int64_t>(24, std::int64_t{2} * threads) * mebibyte;
    const std::int64_t units = pass.images * sets();
    const std::int64_t unit_bytes = plan->channels_per_set * pass.block.geometry.output_height *
                                    pass.block.geometry.output_width *
                                    static_cast<std::int64_t>(sizeof(float));
    const std::int64_t cached = cache_bytes / unit_bytes;
    const std::int64_t lanes_wanted =
        cached >= threads ? threads : std::max<std::int64_t>(1, cached / 2);
    return std::min(units, lanes_wanted);
  }

  std::int64_t sets() const { return plan->geometry.out_channels / plan->channels_per_set; }

  void operator()(const Team& team, std::int64_t thread) const {
    auto* const scratch =
        static_cast<float*>(team.team_scratch(1).get_shmem_aligned(plan->scratch_bytes() - 64, 64));
    work.take_part(
        lanes, thread,
        [&](std::int64_t unit, std::int64_t number) {
          const std::int64_t set_begin = unit % sets() * plan->channels_per_set;
          const std::int64_t first = number % items_across * channels_per_item;
          const std::int64_t last = std::min(first + channels_per_item, plan->channels_per_set);
          convolve(unit / sets(), set_begin + first, set_begin + last, number / items_across,
                   scratch);
        },
        [&](std::int64_t unit) {
          if (lanes.second_items == 0) return;
          for (std::int64_t group = 0; group < groups_per_set; ++group) {
            merge(team, unit * groups_per_set + group);
          }
        },
        [&](std::int64_t unit, std::int64_t number) {
          const std::int64_t first = number * pieces_at_once;
          const std::int64_t last = std::min(first + pieces_at_once, pieces_per_set);
          for (std::int64_t piece = first; piece < last; ++piece) {
            normalize(team, unit * pieces_per_set + piece);
          }
        });
  }

  std::shared_ptr<const DirectHostPlan> plan;
  DirectHost<ExecutionSpace> convolve;
  MergeMoments<ExecutionSpace> merge;
  Normalize<ExecutionSpace> normalize;
  InOrderWork<ExecutionSpace> work;
  std::int64_t groups_per_set;
  std::int64_t channels_per_item;  ///< but for the last of a set
  std::int64_t items_across;       ///< items that share a tile
  std::int64_t pieces_per_set;
  std::int64_t pieces_at_once;
  TwoStageLanes lanes;
};

/// The whole block on the host, in one parallel region: each activation is written once and
/// normalised while it is in a cache.
template <class ExecutionSpace>
class FusedHost {
 public:
  using Plan = DirectHostPlan;
  using Weight =
      Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  static std::int64_t workspace_bytes(const Plan& plan, std::int64_t max_images) {
    std::int64_t weights = HostWeights<ExecutionSpace>::size(plan.geometry, HostPatch::Rows::plain,
                                                             Plan::channel_block);
    if (plan.winograd()) {
      weights += HostWeights<ExecutionSpace>::size(plan.geometry, HostPatch::Rows::winograd,
                                                   Plan::channel_block);
    }
    return weights * static_cast<std::int64_t>(sizeof(float)) +
           InOrderWork<ExecutionSpace>::workspace_bytes(max_units(plan, max_images));
  }

  FusedHost(const ExecutionSpace& exec, Plan plan, const Weight& weight, std::int64_t max_images)
      : plan_(std::make_shared<const Plan>(std::move(plan))),
        direct_weights_(exec, plan_->geometry, HostPatch::Rows::plain, Plan::channel_block, weight),
        work_(exec, max_units(*plan_, max_images)) {
    if (plan_->winograd()) {
      const HostWeights<ExecutionSpace> transformed(
          exec, plan_->geometry, HostPatch::Rows::winograd, Plan::channel_block, weight);
      exec.fence("fusedconv::Layer: transformed weights");
      // Weights so large that their sums are not leave Winograd's algorithm out.
      if (transformed.all_finite()) transformed_weights_ = transformed;
    }
    reserve_team_scratch(exec, plan_->scratch_bytes());
  }

  void operator()(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                  const FirstPass<ExecutionSpace>& pass,
                  const GroupNorm<ExecutionSpace>& group_norm) const {
    launch("fusedconv::fused_block", exec, epilogue, pass, group_norm, true);
  }

  /// Activations and partial moments alone.
  void activate(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                const FirstPass<ExecutionSpace>& pass,
                const GroupNorm<ExecutionSpace>& group_norm) const {
    launch("fusedconv::direct_convolution", exec, epilogue, pass, group_norm, false);
  }

 private:
  void launch(const char* label, const ExecutionSpace& exec,
              const Epilogue<ExecutionSpace>& epilogue, const FirstPass<ExecutionSpace>& pass,
              const GroupNorm<ExecutionSpace>& group_norm, bool normalizes) const {
    const int threads = exec.concurrency();
    const FusedHostThread<ExecutionSpace> thread(plan_, direct_weights_, transformed_weights_,
                                                 epilogue, pass, group_norm, work_, normalizes,
                                                 threads);
    work_.reset(exec, thread.lanes.units);
    for_each_team(label, exec, threads, thread, 1, Scratch{1, plan_->scratch_bytes()});
  }

  static std::int64_t max_units(const Plan& plan, std::int64_t max_images) {
    return max_images * (plan.geometry.out_channels / plan.channels_per_set);
  }

  std::shared_ptr<const Plan> plan_;
  HostWeights<ExecutionSpace> direct_weights_;
  HostWeights<ExecutionSpace> transformed_weights_;
  InOrderWork<ExecutionSpace> work_;
};

}  // namespace fusedconv::detail

#endif
