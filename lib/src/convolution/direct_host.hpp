// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>

#include "../epilogue.hpp"
#include "../moments.hpp"
#include "../team.hpp"
#include "direct_host_plan.hpp"
#include "first_pass.hpp"
#include "packed_weights.hpp"

namespace fusedconv::detail {

/// First pass on the host: one item's convolution, activation and moments.
///
/// The convolution of channel_block channels x up to 3 vectors of pixels stays in registers over
/// all taps; a tap costs one load a vector and one broadcast a channel for channel_block x 3
/// multiply-adds. Activation and moments follow row by row while the row is in the first-level
/// cache.
template <class ExecutionSpace>
class DirectHost {
 public:
  using Team = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;

  DirectHost(std::shared_ptr<const DirectHostPlan> plan, PackedWeightsView<ExecutionSpace> weights,
             Epilogue<ExecutionSpace> epilogue, FirstPass<ExecutionSpace> pass)
      : plan_(std::move(plan)), weights_(weights), epilogue_(epilogue), pass_(pass) {}

  std::int64_t items() const {
    return pass_.images * plan_->geometry.groups * channel_chunks() * plan_->tiles.size();
  }

  void operator()(const Team& team, std::int64_t item) const {
    const DirectHostPlan& plan = *plan_;
    const Geometry& g = plan.geometry;
    const std::int64_t tile = item % plan.tiles.size();
    item /= plan.tiles.size();
    const std::int64_t chunk = item % channel_chunks();
    item /= channel_chunks();
    const std::int64_t group = item % g.groups;
    const std::int64_t image = item / g.groups;

    auto* const scratch =
        static_cast<float*>(team.team_scratch(1).get_shmem_aligned(plan.scratch_bytes() - 64, 64));
    float* const patch = scratch;
    float* const rows = scratch + plan.patch_floats() + vector_length;
    fill_patch(patch, image, group, tile);

    const std::int64_t first = chunk * plan.channels_per_item;
    const std::int64_t last = std::min(first + plan.channels_per_item, g.group_out_channels);
    for (std::int64_t c = first; c < last; c += block) {
      convolve_block(patch, rows, image, group, c, tile);
    }
  }

 private:
  static constexpr int block = DirectHostPlan::channel_block;

  std::int64_t channel_chunks() const {
    return (plan_->geometry.group_out_channels + plan_->channels_per_item - 1) /
           plan_->channels_per_item;
  }

  void fill_patch(float* patch, std::int64_t image, std::int64_t group, std::int64_t tile) const {
    const DirectHostPlan& plan = *plan_;
    const Geometry& g = plan.geometry;
    const std::int64_t top = plan.tiles.first_row(tile) * g.stride_height - g.padding_height;
    const std::int64_t left = plan.tiles.first_column(tile) * g.stride_width - g.padding_width;
    for (std::int64_t ci = 0; ci < g.group_in_channels; ++ci) {
      const float* const plane =
          pass_.x +
          ((image * g.in_channels) + group * g.group_in_channels + ci) * g.height * g.width;
      float* target = patch + ci * plan.channel_pitch;
      for (const std::int64_t row_slot : plan.row_slots) {
        const std::int64_t row = top + row_slot;
        const bool inside = row >= 0 && row < g.height;
        for (const std::int64_t column_slot : plan.column_slots) {
          copy_columns(inside ? plane + row * g.width : nullptr, left + column_slot, target);
          target += plan.slot_length;
        }
      }
    }
  }

  /// Every stride_width-th column of an input row from `first` on; zeros outside the row.
  void copy_columns(const float* row, std::int64_t first, float* target) const {
    const std::int64_t width = plan_->geometry.width;
    const std::int64_t stride = plan_->geometry.stride_width;
    const std::int64_t length = plan_->slot_length;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    if (row != nullptr && first < width) {
      begin = first >= 0 ? 0 : std::min(length, (-first + stride - 1) / stride);
      end = std::max(begin, std::min(length, (width - first + stride - 1) / stride));
    }
    std::fill(target, target + begin, 0.0f);
    if (stride == 1) {
      if (end > begin) std::copy(row + first + begin, row + first + end, target + begin);
    } else {
      for (std::int64_t i = begin; i < end; ++i) target[i] = row[first + i * stride];
    }
    std::fill(target + end, target + length, 0.0f);
  }

  void convolve_block(const float* patch, float* buffer, std::int64_t image, std::int64_t group,
                      std::int64_t first_in_group, std::int64_t tile) const {
    const DirectHostPlan& plan = *plan_;
    const Geometry& g = plan.geometry;
    const std::int64_t blocks_per_group = (g.group_out_channels + block - 1) / block;
    const std::int64_t taps = g.group_in_channels * g.kernel_height * g.kernel_width;
    const float* const weights =
        weights_.data() + (group * blocks_per_group + first_in_group / block) * taps * block;
    const std::int64_t first_channel = group * g.group_out_channels + first_in_group;
    const int channels =
        static_cast<int>(std::min<std::int64_t>(block, g.group_out_channels - first_in_group));
    float bias[block] = {};
    float scale[block] = {};
    for (int c = 0; c < channels; ++c) {
      bias[c] = epilogue_.bias(first_channel + c);
      scale[c] = epilogue_.scale(first_channel + c);
    }

    const std::int64_t columns = plan.tiles.columns(tile);
    const bool unit_columns = g.stride_width == 1 && g.dilation_width == 1;
    Moments moments[block];
    for (std::int64_t r = 0; r < plan.tiles.rows(tile); ++r) {
      const std::int64_t* const row_offset = plan.row_offset.data() + r * g.kernel_height;
      if (unit_columns && g.kernel_width == 3) {
        convolve_row<3>(patch, weights, bias, row_offset, columns, buffer);
      } else if (unit_columns && g.kernel_width == 5) {
        convolve_row<5>(patch, weights, bias, row_offset, columns, buffer);
      } else {
        convolve_row<0>(patch, weights, bias, row_offset, columns, buffer);
      }
      for (int c = 0; c < channels; ++c) {
        float* const target = pass_.y +
                              ((image * g.out_channels + first_channel + c) * g.output_height +
                               plan.tiles.first_row(tile) + r) *
                                  g.output_width +
                              plan.tiles.first_column(tile);
        moments[c].merge(activate_row(buffer + c * plan.tile_columns_padded, Activation(scale[c]),
                                      columns, target));
      }
    }
    for (int c = 0; c < channels; ++c) {
      pass_.partial(image, first_channel + c, tile) = {moments[c].mean, moments[c].m2};
    }
  }

  /// One output row of all channels of a block, bias added, into buffer (channel, column).
  template <int KernelWidth>
  void convolve_row(const float* patch, const float* weights, const float* bias,
                    const std::int64_t* row_offset, std::int64_t columns, float* buffer) const {
    std::int64_t left = (columns + vector_length - 1) / vector_length;
    std::int64_t column = 0;
    // Fours go as two and two: one vector a channel is too few to hide the latency of a
    // multiply-add.
    for (; left >= 5 || left == 3; left -= 3, column += 3 * vector_length) {
      accumulate<KernelWidth, 3>(patch + column, weights, bias, row_offset, buffer + column);
    }
    for (; left >= 2; left -= 2, column += 2 * vector_length) {
      accumulate<KernelWidth, 2>(patch + column, weights, bias, row_offset, buffer + column);
    }
    if (left == 1) {
      accumulate<KernelWidth, 1>(patch + column, weights, bias, row_offset, buffer + column);
    }
  }

  // Not inlined: the accumulators take every vector register, and callers' values would spill them.
  template <int KernelWidth, int Vectors>
  [[gnu::noinline]] void accumulate(const float* patch, const float* weights, const float* bias,
                                    const std::int64_t* row_offset, float* buffer) const {
    const DirectHostPlan& plan = *plan_;
    const Geometry& g = plan.geometry;
    FloatVector sum[block][Vectors];
    const auto tap = [&sum](const float* values, const float* weight) {
      FloatVector x[Vectors];
      for (int v = 0; v < Vectors; ++v) {
        x[v] = *reinterpret_cast<const FloatVector*>(values + v * vector_length);
      }
      for (int c = 0; c < block; ++c) {
        for (int v = 0; v < Vectors; ++v) sum[c][v] += x[v] * weight[c];
      }
    };
    for (std::int64_t first = 0; first < g.group_in_channels; first += plan.channels_summed) {
      for (int c = 0; c < block; ++c) {
        for (int v = 0; v < Vectors; ++v) sum[c][v] = FloatVector{} + (first == 0 ? bias[c] : 0.0f);
      }
      const std::int64_t last = std::min(first + plan.channels_summed, g.group_in_channels);
      for (std::int64_t ci = first; ci < last; ++ci) {
        for (std::int64_t kh = 0; kh < g.kernel_height; ++kh) {
          const float* const row = patch + ci * plan.channel_pitch + row_offset[kh];
          if constexpr (KernelWidth > 0) {
            for (int kw = 0; kw < KernelWidth; ++kw) tap(row + kw, weights + kw * block);
            weights += KernelWidth * block;
          } else {
            for (std::int64_t kw = 0; kw < g.kernel_width; ++kw) {
              tap(row + plan.column_offset[kw], weights);
              weights += block;
            }
          }
        }
      }
      for (int c = 0; c < block; ++c) {
        for (int v = 0; v < Vectors; ++v) {
          auto& target = *reinterpret_cast<FloatVector*>(buffer + c * plan.tile_columns_padded +
                                                         v * vector_length);
          target = first == 0 ? sum[c][v] : target + sum[c][v];
        }
      }
    }
  }

  /// Sigmoid of a row and its moments: the mean relative to the first value, then the squared
  /// deviations about it, corrected for that mean's rounding. Exact for a constant row, and without
  /// cancellation for any.
  static Moments activate_row(const float* z, const Activation activation, std::int64_t columns,
                              float* s) {
    const float pivot = activation(z[0]);
    float shifted_sum = 0;
#pragma omp simd reduction(+ : shifted_sum)
    for (std::int64_t i = 0; i < columns; ++i) {
      s[i] = activation(z[i]);
      shifted_sum += s[i] - pivot;
    }
    const float mean = pivot + shifted_sum / static_cast<float>(columns);
    float deviation = 0;
    float m2 = 0;
#pragma omp simd reduction(+ : deviation, m2)
    for (std::int64_t i = 0; i < columns; ++i) {
      const float d = s[i] - mean;
      deviation += d;
      m2 += d * d;
    }
    const double count = static_cast<double>(columns);
    const double correction = deviation / count;
    return {count, mean + correction, m2 - correction * deviation};
  }

  std::shared_ptr<const DirectHostPlan> plan_;
  PackedWeightsView<ExecutionSpace> weights_;
  Epilogue<ExecutionSpace> epilogue_;
  FirstPass<ExecutionSpace> pass_;
};

}  // namespace fusedconv::detail

#endif
