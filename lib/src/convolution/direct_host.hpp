// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_HOST_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>

#include "../float_vector.hpp"
#include "../row_activation.hpp"
#include "direct_host_plan.hpp"
#include "first_pass.hpp"
#include "host_patch.hpp"
#include "host_weights.hpp"

namespace fusedconv::detail {

/// Convolution, activation and partial moments of a tile on the host.
///
/// The sums of channel_block channels x up to 3 vectors of pixels stay in registers over all taps;
/// a tap costs one load a vector and one broadcast a channel for channel_block x 3 multiply-adds.
/// Activation and moments follow row by row while the row is in the first-level cache.
template <class ExecutionSpace>
class DirectHost {
 public:
  /// \param transformed_weights empty where Winograd's algorithm is not to be used
  DirectHost(std::shared_ptr<const DirectHostPlan> plan,
             const HostWeights<ExecutionSpace>& direct_weights,
             const HostWeights<ExecutionSpace>& transformed_weights,
             Epilogue<ExecutionSpace> epilogue, FirstPass<ExecutionSpace> pass)
      : plan_(std::move(plan)),
        direct_weights_(direct_weights),
        transformed_weights_(transformed_weights),
        epilogue_(std::move(epilogue)),
        pass_(std::move(pass)) {}

  /// Output channels first_channel to last_channel - 1 of one tile of an image's block. The first
  /// is at the beginning of a block of weights, and the last is too or ends its channel group.
  /// \param scratch DirectHostPlan::scratch_bytes() long, aligned to 64 bytes
  void operator()(std::int64_t image, std::int64_t first_channel, std::int64_t last_channel,
                  std::int64_t tile, float* scratch) const {
    const DirectHostPlan& plan = *plan_;
    const Geometry& g = pass_.block.geometry;
    const TileGrid& tiles = pass_.block.tiles;
    float* const patch = scratch;
    float* const workspace = patch + plan.patch_floats();
    float* const rows = workspace + plan.workspace_floats();
    const std::int64_t top = tiles.first_row(tile) * g.stride_height - g.padding_height;
    const std::int64_t left = tiles.first_column(tile) * g.stride_width - g.padding_width;
    const std::int64_t tile_rows = tiles.rows(tile);
    const std::int64_t tile_columns = tiles.columns(tile);
    for (std::int64_t channel = first_channel; channel < last_channel;) {
      const std::int64_t group = channel / g.group_out_channels;
      const std::int64_t group_end = std::min(last_channel, (group + 1) * g.group_out_channels);
      const float* const input =
          pass_.x + (image * g.in_channels + group * g.group_in_channels) * g.height * g.width;
      if (!transformed_weights_.empty() &&
          plan.transformed.fill(g, input, top, left, tile_rows, tile_columns, patch, workspace)) {
        convolve<true>(patch, rows, image, channel, group_end, tile);
      } else {
        plan.direct.fill(g, input, top, left, tile_rows, tile_columns, patch, workspace);
        convolve<false>(patch, rows, image, channel, group_end, tile);
      }
      channel = group_end;
    }
  }

 private:
  static constexpr int block = DirectHostPlan::channel_block;

  /// What the sums of a block of channels are made from.
  struct Operands {
    const HostPatch& layout;
    const float* patch;
    const float* weights;  ///< (step inputs, group_in_channels, kernel columns, block)
    /// (block), what the first sums begin with: zeros that g++ does not know. Where they are known,
    /// or nothing else can begin a sum, it lets sums share a register and spills others.
    const float* initial;
  };

  /// All channels of a channel group that the item has.
  template <bool winograd>
  void convolve(const float* patch, float* rows, std::int64_t image, std::int64_t first_channel,
                std::int64_t last_channel, std::int64_t tile) const {
    const auto convolve_block = block_function<winograd>(plan_->geometry);
    for (std::int64_t c = first_channel; c < last_channel; c += block) {
      const int channels = static_cast<int>(std::min<std::int64_t>(block, last_channel - c));
      (this->*convolve_block)(patch, rows, image, c, channels, tile);
    }
  }

  using BlockFunction = void (DirectHost::*)(const float*, float*, std::int64_t, std::int64_t, int,
                                             std::int64_t) const;

  /// The common kernels have bodies of their own.
  template <bool winograd>
  static BlockFunction block_function(const Geometry& g) {
    const std::int64_t width = g.kernel_width;
    const std::int64_t stride = g.dilation_width == 1 ? g.stride_width : 0;
    if (width == 1) return &DirectHost::convolve_block<winograd, 1, 1>;
    if (width == 3 && stride == 1) return &DirectHost::convolve_block<winograd, 3, 1>;
    if (width == 5 && stride == 1) return &DirectHost::convolve_block<winograd, 5, 1>;
    if (width == 7 && stride == 1) return &DirectHost::convolve_block<winograd, 7, 1>;
    if constexpr (!winograd) {
      if (width == 3 && stride == 2) return &DirectHost::convolve_block<winograd, 3, 2>;
      if (width == 5 && stride == 2) return &DirectHost::convolve_block<winograd, 5, 2>;
      if (width == 7 && stride == 2) return &DirectHost::convolve_block<winograd, 7, 2>;
    }
    return &DirectHost::convolve_block<winograd, 0, 0>;
  }

  /// \tparam KernelWidth  0 for any kernel
  /// \tparam ColumnStride between outputs, of a kernel without gaps
  template <bool winograd, int KernelWidth, int ColumnStride>
  void convolve_block(const float* patch, float* buffer, std::int64_t image,
                      std::int64_t first_channel, int channels, std::int64_t tile) const {
    const DirectHostPlan& plan = *plan_;
    const Geometry& g = pass_.block.geometry;
    const TileGrid& tiles = pass_.block.tiles;
    const HostPatch& layout = winograd ? plan.transformed : plan.direct;
    const HostWeights<ExecutionSpace>& weights = winograd ? transformed_weights_ : direct_weights_;
    const std::int64_t group = first_channel / g.group_out_channels;
    const std::int64_t block_number =
        group * weights.blocks_per_group(g, block) + first_channel % g.group_out_channels / block;
    RowActivation activation[block];
    for (int c = 0; c < channels; ++c) {
      activation[c] = RowActivation(epilogue_.bias(first_channel + c),
                                    epilogue_.scale(first_channel + c), epilogue_.activation);
    }
    const float zeros[block] = {};
    const Operands operands{layout, patch, weights.block(block_number), zeros};

    const std::int64_t columns = tiles.columns(tile);
    const std::int64_t rows = tiles.rows(tile);
    const std::int64_t plane = g.output_height * g.output_width;
    float* const output = pass_.y + (image * g.out_channels + first_channel) * plane +
                          tiles.first_row(tile) * g.output_width + tiles.first_column(tile);
    for (std::int64_t row = 0; row < rows; row += layout.step_rows()) {
      convolve_step<winograd, KernelWidth, ColumnStride>(operands, row / layout.step_rows(),
                                                         columns, buffer);
      for (std::int64_t r = 0; r < std::min(layout.step_rows(), rows - row); ++r) {
        for (int c = 0; c < channels; ++c) {
          activation[c](buffer + (r * block + c) * plan.tile_columns_padded, columns,
                        output + c * plane + (row + r) * g.output_width);
        }
      }
    }
    for (int c = 0; c < channels; ++c) {
      const Moments moments = activation[c].moments();
      pass_.partial(image, first_channel + c, pass_.block.first_tile + tile) = {moments.mean,
                                                                                moments.m2};
    }
  }

  /// The output rows of one step of all channels of a block into buffer (row, channel, column).
  template <bool winograd, int KernelWidth, int ColumnStride>
  void convolve_step(const Operands& operands, std::int64_t step, std::int64_t columns,
                     float* buffer) const {
    for (const HostPatch::Strip& strip : operands.layout.strips()) {
      if (strip.first_column >= columns) break;
      float* const target = buffer + strip.first_column;
      switch (strip.vectors) {
        case 1:
          convolve_strip<winograd, KernelWidth, ColumnStride, 1>(operands, step, strip, target);
          break;
        case 2:
          convolve_strip<winograd, KernelWidth, ColumnStride, 2>(operands, step, strip, target);
          break;
        default:
          convolve_strip<winograd, KernelWidth, ColumnStride, 3>(operands, step, strip, target);
      }
    }
  }

  // Not inlined: the sums take every vector register, and callers' values would spill them.
  template <bool winograd, int KernelWidth, int ColumnStride, int Vectors>
  [[gnu::noinline]] void convolve_strip(const Operands& operands, std::int64_t step,
                                        const HostPatch::Strip& strip, float* buffer) const {
    using Sums = FloatVector[block * Vectors];
    const std::int64_t in_channels = plan_->geometry.group_in_channels;
    const std::int64_t pitch = plan_->tile_columns_padded;
    for (std::int64_t first = 0; first < in_channels; first += plan_->channels_summed) {
      const std::int64_t last = std::min(first + plan_->channels_summed, in_channels);
      const auto add_products = [&](Sums & sums, std::int64_t first_input, std::int64_t last_input)
          __attribute__((always_inline)) {
        for (std::int64_t i = first_input; i < last_input; ++i) {
          add_input<KernelWidth, ColumnStride, Vectors>(
              sums, operands, strip, operands.layout.row(step, i), i, first, last);
        }
      };
      const auto write = [&](const Sums& sums, float* rows) __attribute__((always_inline)) {
        unroll<block * Vectors>([&](auto k) __attribute__((always_inline)) {
          float* const target = rows + k / Vectors * pitch + k % Vectors * vector_length;
          store(target, first == 0 ? sums[k] : load(target) + sums[k]);
        });
      };
      Sums sums;
      unroll<block * Vectors>([&](auto k) __attribute__((always_inline)) {
        sums[k] = broadcast<FloatVector>(first == 0 ? operands.initial[k / Vectors] : 0.0f);
      });
      if constexpr (winograd) {
        // What both rows need of m1 and m2 is formed on the way.
        Sums difference;
        add_products(sums, 1, 2);
        unroll<block * Vectors>([&](auto k) __attribute__((always_inline)) {
          difference[k] = sums[k];
          sums[k] = broadcast<FloatVector>(0.0f);
        });
        add_products(sums, 2, 3);
        unroll<block * Vectors>([&](auto k) __attribute__((always_inline)) {
          const FloatVector m1 = difference[k];
          difference[k] = m1 - sums[k];
          sums[k] += m1;
        });
        add_products(sums, 0, 1);
        write(sums, buffer);
        unroll<block * Vectors>([&](auto k)
                                    __attribute__((always_inline)) { sums[k] = difference[k]; });
        add_products(sums, 3, 4);
        write(sums, buffer + block * pitch);
      } else {
        add_products(sums, 0, operands.layout.step_inputs());
        write(sums, buffer);
      }
    }
  }

  /// Adds the products of one row of the patch, over some input channels, with their weights.
  template <int KernelWidth, int ColumnStride, int Vectors>
  [[gnu::always_inline]] void add_input(FloatVector (&sums)[block * Vectors],
                                        const Operands& operands, const HostPatch::Strip& strip,
                                        std::int64_t row, std::int64_t input, std::int64_t first,
                                        std::int64_t last) const {
    const Geometry& g = plan_->geometry;
    const std::int64_t width = KernelWidth > 0 ? KernelWidth : g.kernel_width;
    const float* values =
        operands.patch + strip.offset + row * strip.row_pitch + first * strip.channel_pitch;
    const float* weights = operands.weights + (input * g.group_in_channels + first) * width * block;
    const auto tap = [&](std::int64_t offset, const float* weight) __attribute__((always_inline)) {
      FloatVector x[Vectors];
      unroll<Vectors>([&](auto v) __attribute__((always_inline)) {
        x[v] = load_once(values + offset + v * vector_length);
      });
      unroll<block * Vectors>([&](auto k) __attribute__((always_inline)) {
        sums[k] += x[k % Vectors] * weight[k / Vectors];
      });
    };
    for (std::int64_t ci = first; ci < last; ++ci) {
      if constexpr (KernelWidth > 0) {
        unroll<KernelWidth>([&](auto kw) __attribute__((always_inline)) {
          tap(kw % ColumnStride * strip.phase_pitch + kw / ColumnStride, weights + kw * block);
        });
      } else {
        for (std::int64_t kw = 0; kw < width; ++kw) {
          tap(strip.column_offset[kw], weights + kw * block);
        }
      }
      values += strip.channel_pitch;
      weights += width * block;
    }
  }

  std::shared_ptr<const DirectHostPlan> plan_;
  HostWeights<ExecutionSpace> direct_weights_;
  HostWeights<ExecutionSpace> transformed_weights_;
  Epilogue<ExecutionSpace> epilogue_;
  FirstPass<ExecutionSpace> pass_;
};

}  // namespace fusedconv::detail

#endif
