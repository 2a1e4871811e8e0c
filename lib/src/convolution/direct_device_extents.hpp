// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_EXTENTS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_EXTENTS_HPP

#include "direct_device_plan.hpp"

namespace fusedconv::detail {

/// Extents of a team's tile, of the input that it needs and of the lanes that its threads are.
template <int KernelSize, bool Largest>
struct DirectDeviceExtents {
  explicit DirectDeviceExtents(const DirectDevicePlan& plan)
      : tile_height(static_cast<int>(plan.tiles.tile_height)),
        tile_width(static_cast<int>(plan.tiles.tile_width)),
        patch_height(static_cast<int>(plan.patch_height)),
        patch_width(static_cast<int>(plan.patch_width)),
        pixel_lanes(plan.pixel_lanes()),
        column_lanes(plan.column_lanes()),
        weight_block(static_cast<int>(plan.weight_block())) {}

  int tile_height, tile_width, patch_height, patch_width;
  int pixel_lanes, column_lanes, weight_block;
};

/// The same of the largest tiles, those of layers with more than 16 output channels a group and
/// more than 64 output columns: known to the compiler, so that places in scratch memory are
/// constants.
template <int KernelSize>
struct DirectDeviceExtents<KernelSize, true> {
  explicit DirectDeviceExtents(const DirectDevicePlan&) {}

  using Plan = DirectDevicePlan;
  static constexpr int column_lanes = Plan::max_column_lanes;
  static constexpr int pixel_lanes = Plan::team_size / Plan::max_channel_lanes;
  static constexpr int weight_block = Plan::max_channel_lanes * Plan::channel_block;
  static constexpr int tile_height = pixel_lanes / column_lanes * Plan::rows;
  static constexpr int tile_width = column_lanes * Plan::columns;
  static constexpr int patch_height = tile_height + KernelSize - 1;
  static constexpr int patch_width = tile_width + KernelSize - 1;
};

}  // namespace fusedconv::detail

#endif
