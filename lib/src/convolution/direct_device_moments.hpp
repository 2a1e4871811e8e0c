// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_MOMENTS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_MOMENTS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "../moments.hpp"
#include "direct_device_extents.hpp"
#include "direct_device_plan.hpp"
#include "first_pass.hpp"

namespace fusedconv::detail {

// Offsets into scratch memory, of 48 KiB, are of 32 bits, of which a GPU computes twice as many.
// NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result)

/// What a team of the device's first pass adds to the statistics: the moments of its tile.
template <class ExecutionSpace, int KernelSize, bool Largest>
struct DirectDeviceMoments : protected DirectDeviceExtents<KernelSize, Largest> {
  using Team = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  using Plan = DirectDevicePlan;
  using Extents = DirectDeviceExtents<KernelSize, Largest>;
  using Extents::column_lanes;
  using Extents::pixel_lanes;
  using Extents::tile_height;
  using Extents::tile_width;
  using Extents::weight_block;

  // Functions that take references are given their values, as in +block: device code has no object
  // that they could refer to.
  static constexpr int block = Plan::channel_block;
  static constexpr int rows = Plan::rows;
  static constexpr int columns = Plan::columns;

  /// Where a team works.
  struct Tile {
    std::int64_t image;
    int group;
    int chunk;  ///< of the group's output channels, weight_block each
    int row;    ///< first output row
    int column;
    int rows;
    int columns;
  };

  /// Where a thread works in the team's tile.
  struct Thread {
    int channel;  ///< first of its channels in the chunk
    int row;      ///< first of its rows
    int column;   ///< first of its columns
  };

  DirectDeviceMoments(const Plan& plan, const FirstPass<ExecutionSpace>& pass)
      : Extents(plan),
        partial(pass.partial.data() + pass.block.first_tile),
        partial_pitch(static_cast<std::int64_t>(pass.partial.extent(2))),
        tiles_across(pass.block.tiles.tiles_across()),
        groups(static_cast<int>(pass.block.geometry.groups)),
        group_out_channels(static_cast<int>(pass.block.geometry.group_out_channels)) {}

  /// Moments of each channel of the tile: of a thread's outputs in registers, then of 8 threads,
  /// then of all, always in this order.
  ///
  /// Sums are taken relative to one of the values they cover. That bounds cancellation by the few
  /// values in a sum, and makes it none where all are equal.
  KOKKOS_FUNCTION void reduce_moments(const Team& team, const Tile& tile, const Thread& thread,
                                      float* scratch,
                                      const float (&s)[block][rows][columns]) const {
    constexpr int lanes_at_once = 8;
    const int pitch = weight_block + 1;  // odd, so that neither side meets bank conflicts
    auto* const merged = reinterpret_cast<Moments*>(scratch);
    float* const pivots = reinterpret_cast<float*>(merged + Plan::team_size);
    float* const offsets = pivots + pixel_lanes * pitch;
    float* const deviations = offsets + pixel_lanes * pitch;
    float* const counts = deviations + pixel_lanes * pitch;

    const int pixel_lane = team.team_rank() & (pixel_lanes - 1);
    int outputs = 0;
    for (int r = 0; r < rows; ++r) {
      for (int j = 0; j < columns; ++j) outputs += inside(tile, thread, r, j) ? 1 : 0;
    }
    const float count = static_cast<float>(outputs);
    const float inverse = outputs > 0 ? 1.0f / count : 0.0f;
    team.team_barrier();
    if (thread.channel == 0) counts[pixel_lane] = count;
    for (int c = 0; c < block; ++c) {
      const float pivot = s[c][0][0];
      float shifted_sum = 0;
      float squares = 0;
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) {
          const float d = inside(tile, thread, r, j) ? s[c][r][j] - pivot : 0.0f;
          shifted_sum += d;
          squares += d * d;
        }
      }
      const float offset = shifted_sum * inverse;
      const int entry = pixel_lane * pitch + thread.channel + c;
      pivots[entry] = pivot;
      offsets[entry] = offset;
      deviations[entry] = squares - shifted_sum * offset;
    }
    team.team_barrier();

    // Channels x (pixel lanes / 8) sets are exactly as many as there are threads.
    const int channel = team.team_rank() % weight_block;
    const int first_lane = team.team_rank() / weight_block * lanes_at_once;
    const float first_pivot = pivots[first_lane * pitch + channel];
    const float first_offset = offsets[first_lane * pitch + channel];
    float set_count = 0;
    float shifted_sum = 0;
    float squares = 0;
    for (int lane = first_lane; lane < first_lane + lanes_at_once; ++lane) {
      const float n = counts[lane];
      const int entry = lane * pitch + channel;
      const float d =
          n > 0 ? (pivots[entry] - first_pivot) + (offsets[entry] - first_offset) : 0.0f;
      set_count += n;
      shifted_sum += n * d;
      squares += n > 0 ? deviations[entry] + n * d * d : 0.0f;
    }
    // A set's first lane is empty only if the set is.
    const float offset = set_count > 0 ? shifted_sum / set_count : 0.0f;
    merged[team.team_rank()] = {set_count, static_cast<double>(first_pivot) + first_offset + offset,
                                squares - shifted_sum * offset};
    team.team_barrier();

    const int in_group = tile.chunk * weight_block + team.team_rank();
    if (team.team_rank() < weight_block && in_group < group_out_channels) {
      // Of the sets the first is never empty.
      const Moments first = merged[team.team_rank()];
      double count_of_all = first.count;
      double sum_of_all = 0;
      double squares_of_all = first.m2;
      for (int other = team.team_rank() + weight_block; other < Plan::team_size;
           other += weight_block) {
        const Moments set = merged[other];
        if (set.count > 0) {
          const double d = set.mean - first.mean;
          count_of_all += set.count;
          sum_of_all += set.count * d;
          squares_of_all += set.m2 + set.count * d * d;
        }
      }
      const double offset_of_all = sum_of_all / count_of_all;
      const std::int64_t out_channel =
          (tile.image * groups + tile.group) * group_out_channels + in_group;
      const std::int64_t tile_index =
          tile.row / tile_height * tiles_across + tile.column / tile_width;
      partial[out_channel * partial_pitch + tile_index] = {
          first.mean + offset_of_all, squares_of_all - sum_of_all * offset_of_all};
    }
  }

  KOKKOS_FUNCTION bool inside(const Tile& tile, const Thread& thread, int r, int j) const {
    return thread.row + r < tile.rows && thread.column + j * column_lanes < tile.columns;
  }

  PartialMoments* partial;
  std::int64_t partial_pitch;  ///< tiles of an image
  std::int64_t tiles_across;
  int groups, group_out_channels;
};

// NOLINTEND(bugprone-implicit-widening-of-multiplication-result)

}  // namespace fusedconv::detail

#endif
