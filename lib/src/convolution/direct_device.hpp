// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DIRECT_DEVICE_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "../epilogue.hpp"
#include "../team.hpp"
#include "direct_device_moments.hpp"
#include "direct_device_plan.hpp"
#include "first_pass.hpp"
#include "packed_weights.hpp"

namespace fusedconv::detail {

// Offsets into scratch memory, of 48 KiB, are of 32 bits, of which a GPU computes twice as many.
// NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result)

/// First pass on a device: one tile's convolution, activation and moments.
/// \tparam KernelSize height and width of the kernel where the plan says unrolled, else 0
/// \tparam Largest    whether the plan's tiles are the largest, see DirectDeviceExtents
template <class ExecutionSpace, DirectDevicePlan::Source From, int KernelSize, bool Largest>
struct DirectDevice : private DirectDeviceMoments<ExecutionSpace, KernelSize, Largest> {
  using Base = DirectDeviceMoments<ExecutionSpace, KernelSize, Largest>;
  using Base::block;
  using Base::column_lanes;
  using Base::columns;
  using Base::group_out_channels;
  using Base::groups;
  using Base::inside;
  using Base::patch_height;
  using Base::patch_width;
  using Base::pixel_lanes;
  using Base::reduce_moments;
  using Base::rows;
  using Base::tile_height;
  using Base::tile_width;
  using Base::tiles_across;
  using Base::weight_block;
  using typename Base::Plan;
  using typename Base::Team;
  using typename Base::Thread;
  using typename Base::Tile;
  using Source = DirectDevicePlan::Source;

  static constexpr int max_taps_summed = 256;

  /// Loaded as one word of 16 bytes.
  struct alignas(16) Four {
    float value[4];
  };

  DirectDevice(const Plan& plan, const PackedWeightsView<ExecutionSpace>& weights,
               const Epilogue<ExecutionSpace>& epilogue, const FirstPass<ExecutionSpace>& pass);

  std::int64_t items() const { return item_count; }

  KOKKOS_FUNCTION void operator()(const Team& team, std::int64_t item) const {
    // Most layers have one chunk and one group, and divisions take longer than to ask.
    const auto next_of = [&item](std::int64_t count) {
      if (count == 1) return std::int64_t{0};
      const std::int64_t quotient = item / count;
      const std::int64_t remainder = item - quotient * count;
      item = quotient;
      return remainder;
    };
    Tile tile;
    tile.chunk = static_cast<int>(next_of(chunks));
    tile.column = static_cast<int>(next_of(tiles_across)) * tile_width;
    tile.row = static_cast<int>(next_of(tiles_down)) * tile_height;
    tile.group = static_cast<int>(next_of(groups));
    tile.image = item;
    tile.rows = Kokkos::min(output_height - tile.row, +tile_height);
    tile.columns = Kokkos::min(output_width - tile.column, +tile_width);

    const int pixel_lane = team.team_rank() & (pixel_lanes - 1);
    const Thread thread{team.team_rank() / pixel_lanes * block, pixel_lane / column_lanes * rows,
                        pixel_lane & (column_lanes - 1)};
    const int in_group = tile.chunk * weight_block + thread.channel;
    const int channels = Kokkos::min(+block, Kokkos::max(0, group_out_channels - in_group));
    const std::int64_t first_channel =
        static_cast<std::int64_t>(tile.group) * group_out_channels + in_group;

    auto* const scratch =
        static_cast<float*>(team.team_scratch(0).get_shmem_aligned(scratch_bytes, 16));
    float sum[block][rows][columns];
    convolve(team, tile, thread, first_channel, channels, scratch, sum);
    activate(tile, thread, first_channel, channels, sum);
    reduce_moments(team, tile, thread, scratch, sum);
  }

  /// Convolution of a thread's outputs.
  ///
  /// Rounding errors grow with the length of a sum: long ones are taken in parts, which wait in y.
  KOKKOS_FUNCTION void convolve(const Team& team, const Tile& tile, const Thread& thread,
                                std::int64_t first_channel, int channels, float* scratch,
                                float (&sum)[block][rows][columns]) const {
    const std::int64_t plane = static_cast<std::int64_t>(height) * width;
    const float* const planes = x + (tile.image * groups + tile.group) * group_in_channels * plane;
    const std::int64_t taps = static_cast<std::int64_t>(kernel_height) * kernel_width;
    const float* const packed =
        weights + (static_cast<std::int64_t>(tile.group) * chunks + tile.chunk) *
                      group_in_channels * taps * weight_block;
    const int top = tile.row * stride_height - padding_height;
    const int left = tile.column * stride_width - padding_width;
    const auto stage = [&](int ci, int count) {
      if constexpr (From != Source::global) {
        const int weight_floats =
            stage_weights(team, packed + ci * taps * weight_block, count, scratch);
        stage_patch(team, planes + ci * plane, top, left, count, scratch + weight_floats);
        team.team_barrier();
      }
    };

    int count = Kokkos::min(in_channels_staged, group_in_channels);
    stage(0, count);
    for (int c = 0; c < block; ++c) {
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) sum[c][r][j] = 0.0f;
      }
    }
    std::int64_t summed = 0;
    bool in_parts = false;
    for (int ci = 0;;) {
      const float* const chunk_weights = packed + ci * taps * weight_block + thread.channel;
      if (channels > 0) {
        if constexpr (From == Source::unrolled) {
          convolve_unrolled(thread, count, scratch + count * KernelSize * KernelSize * weight_block,
                            scratch + thread.channel, sum);
        } else if constexpr (From == Source::staged) {
          convolve_staged(thread, count, scratch, chunk_weights, sum);
        } else {
          convolve_global(tile, thread, count, planes + ci * plane, chunk_weights, sum);
        }
      }
      ci += count;
      if (ci >= group_in_channels) break;
      summed += count * taps;
      if (summed >= max_taps_summed) {
        put_aside(tile, thread, first_channel, channels, in_parts, sum);
        in_parts = true;
        summed = 0;
      }
      count = Kokkos::min(in_channels_staged, group_in_channels - ci);
      if constexpr (From != Source::global) team.team_barrier();
      stage(ci, count);
    }
    if (in_parts) take_back(tile, thread, first_channel, channels, sum);
  }

  /// Where a thread's first output lies in y.
  KOKKOS_FUNCTION float* outputs_of(const Tile& tile, const Thread& thread,
                                    std::int64_t first_channel) const {
    return y +
           ((tile.image * groups * group_out_channels + first_channel) * output_height + tile.row +
            thread.row) *
               output_width +
           tile.column + thread.column;
  }

  KOKKOS_FUNCTION void put_aside(const Tile& tile, const Thread& thread, std::int64_t first_channel,
                                 int channels, bool add, float (&sum)[block][rows][columns]) const {
    const std::int64_t plane = static_cast<std::int64_t>(output_height) * output_width;
    float* target = outputs_of(tile, thread, first_channel);
    for (int c = 0; c < block; ++c, target += plane) {
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) {
          float& part = target[r * output_width + j * column_lanes];
          if (c < channels && inside(tile, thread, r, j)) {
            part = add ? part + sum[c][r][j] : sum[c][r][j];
          }
          sum[c][r][j] = 0.0f;
        }
      }
    }
  }

  KOKKOS_FUNCTION void take_back(const Tile& tile, const Thread& thread, std::int64_t first_channel,
                                 int channels, float (&sum)[block][rows][columns]) const {
    const std::int64_t plane = static_cast<std::int64_t>(output_height) * output_width;
    const float* target = outputs_of(tile, thread, first_channel);
    for (int c = 0; c < block; ++c, target += plane) {
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) {
          if (c < channels && inside(tile, thread, r, j)) {
            sum[c][r][j] += target[r * output_width + j * column_lanes];
          }
        }
      }
    }
  }

  /// Copies the weights of the unrolled kernel to scratch memory, in words of 16 bytes; they come
  /// first there. Other kernels read theirs where they are.
  /// \return the floats that they take
  KOKKOS_FUNCTION int stage_weights(const Team& team, const float* packed, int in_channels,
                                    float* staged) const {
    if constexpr (From != Source::unrolled) return 0;
    const int floats = in_channels * KernelSize * KernelSize * weight_block;
    const auto* const from = reinterpret_cast<const Four*>(packed);
    auto* const to = reinterpret_cast<Four*>(staged);
    for (int i = team.team_rank(); i < floats / 4; i += Plan::team_size) to[i] = from[i];
    return floats;
  }

  /// Copies the tile's input, padded with zeros, to scratch memory. Each thread has the loads of
  /// several rows under way before its first store, since it is their latency that takes the time.
  KOKKOS_FUNCTION void stage_patch(const Team& team, const float* planes, int top, int left,
                                   int in_channels, float* patch) const {
    constexpr int lanes = 32;
    constexpr int batch = 4;
    constexpr int words = 5;  // as many as the widest unrolled tile and its border take
    const int lane = team.team_rank() % lanes;
    const int patch_rows = in_channels * patch_height;
    for (int first_word = 0; first_word < patch_width; first_word += words * lanes) {
      const int first_column = first_word + lane;
      bool in_columns[words];
      for (int w = 0; w < words; ++w) {
        const int column = first_column + w * lanes;
        in_columns[w] = column < patch_width && left + column >= 0 && left + column < width;
      }
#pragma unroll 1
      for (int first_row = team.team_rank() / lanes; first_row < patch_rows;
           first_row += batch * (Plan::team_size / lanes)) {
        float value[batch][words];
        for (int b = 0; b < batch; ++b) {
          const int patch_row = first_row + b * (Plan::team_size / lanes);
          const int channel = patch_row / patch_height;
          const int row = top + patch_row - channel * patch_height;
          const bool in_rows = patch_row < patch_rows && row >= 0 && row < height;
          const float* const source = planes +
                                      (static_cast<std::int64_t>(channel) * height + row) * width +
                                      left + first_column;
          for (int w = 0; w < words; ++w) {
            value[b][w] = in_rows && in_columns[w] ? source[w * lanes] : 0.0f;
          }
        }
        for (int b = 0; b < batch; ++b) {
          const int patch_row = first_row + b * (Plan::team_size / lanes);
          float* const target = patch + patch_row * patch_width + first_column;
          for (int w = 0; w < words; ++w) {
            if (patch_row < patch_rows && first_column + w * lanes < patch_width) {
              target[w * lanes] = value[b][w];
            }
          }
        }
      }
    }
  }

  KOKKOS_FUNCTION void convolve_unrolled(const Thread& thread, int in_channels, const float* patch,
                                         const float* weight,
                                         float (&sum)[block][rows][columns]) const {
    const float* values = patch + thread.row * patch_width + thread.column;
#pragma unroll 1
    for (int ci = 0; ci < in_channels; ++ci) {
#pragma unroll
      for (int kh = 0; kh < KernelSize; ++kh) {
#pragma unroll
        for (int kw = 0; kw < KernelSize; ++kw) {
          float v[rows][columns];
          for (int r = 0; r < rows; ++r) {
            for (int j = 0; j < columns; ++j) {
              v[r][j] = values[(kh + r) * patch_width + j * column_lanes + kw];
            }
          }
          multiply_add(weight, v, sum);
          weight += weight_block;
        }
      }
      values += patch_height * patch_width;
    }
  }

  KOKKOS_FUNCTION void convolve_staged(const Thread& thread, int in_channels, const float* patch,
                                       const float* weight,
                                       float (&sum)[block][rows][columns]) const {
    const int row_step = stride_height * patch_width;
    const int column_step = column_lanes * stride_width;
    const float* values = patch + thread.row * row_step + thread.column * stride_width;
    for (int ci = 0; ci < in_channels; ++ci) {
      for (int kh = 0; kh < kernel_height; ++kh) {
        const float* const row = values + kh * dilation_height * patch_width;
        for (int kw = 0; kw < kernel_width; ++kw, weight += weight_block) {
          float v[rows][columns];
          for (int r = 0; r < rows; ++r) {
            for (int j = 0; j < columns; ++j) {
              v[r][j] = row[r * row_step + j * column_step + kw * dilation_width];
            }
          }
          multiply_add(weight, v, sum);
        }
      }
      values += patch_height * patch_width;
    }
  }

  KOKKOS_FUNCTION void convolve_global(const Tile& tile, const Thread& thread, int in_channels,
                                       const float* planes, const float* weight,
                                       float (&sum)[block][rows][columns]) const {
    // Rows and columns outside the tile can lie further out than int reaches.
    const std::int64_t top =
        static_cast<std::int64_t>(tile.row + thread.row) * stride_height - padding_height;
    const std::int64_t left =
        static_cast<std::int64_t>(tile.column + thread.column) * stride_width - padding_width;
    for (int ci = 0; ci < in_channels; ++ci) {
      for (int kh = 0; kh < kernel_height; ++kh) {
        for (int kw = 0; kw < kernel_width; ++kw, weight += weight_block) {
          float v[rows][columns];
          for (int r = 0; r < rows; ++r) {
            const std::int64_t row = top + static_cast<std::int64_t>(r) * stride_height +
                                     static_cast<std::int64_t>(kh) * dilation_height;
            for (int j = 0; j < columns; ++j) {
              const std::int64_t column =
                  left + static_cast<std::int64_t>(j * column_lanes) * stride_width +
                  static_cast<std::int64_t>(kw) * dilation_width;
              v[r][j] =
                  row >= 0 && row < height && column >= 0 && column < width
                      ? planes[(static_cast<std::int64_t>(ci) * height + row) * width + column]
                      : 0.0f;
            }
          }
          multiply_add(weight, v, sum);
        }
      }
    }
  }

  KOKKOS_FORCEINLINE_FUNCTION static void multiply_add(const float* weight,
                                                       const float (&v)[rows][columns],
                                                       float (&sum)[block][rows][columns]) {
    const Four low = reinterpret_cast<const Four*>(weight)[0];
    const Four high = reinterpret_cast<const Four*>(weight)[1];
    for (int c = 0; c < block; ++c) {
      const float w = c < 4 ? low.value[c % 4] : high.value[c % 4];
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) sum[c][r][j] += w * v[r][j];
      }
    }
  }

  /// Asked once for all of a thread's outputs.
  KOKKOS_FUNCTION void activate(const Tile& tile, const Thread& thread, std::int64_t first_channel,
                                int channels, float (&sum)[block][rows][columns]) const {
    switch (activation) {
      case Activation::sigmoid:
        return activate_and_store<Activation::sigmoid>(tile, thread, first_channel, channels, sum);
      case Activation::relu:
        return activate_and_store<Activation::relu>(tile, thread, first_channel, channels, sum);
      case Activation::silu:
        return activate_and_store<Activation::silu>(tile, thread, first_channel, channels, sum);
      case Activation::gelu:
        return activate_and_store<Activation::gelu>(tile, thread, first_channel, channels, sum);
      case Activation::gelu_tanh:
        return activate_and_store<Activation::gelu_tanh>(tile, thread, first_channel, channels,
                                                         sum);
      case Activation::tanh:
        return activate_and_store<Activation::tanh>(tile, thread, first_channel, channels, sum);
      default:
        return activate_and_store<Activation::identity>(tile, thread, first_channel, channels, sum);
    }
  }

  // Loops over registers must be unrolled, however long their bodies: a number that is not known
  // makes the sums an array in memory, for the convolution too.
  template <Activation activation_of_all>
  KOKKOS_FUNCTION void activate_and_store(const Tile& tile, const Thread& thread,
                                          std::int64_t first_channel, int channels,
                                          float (&sum)[block][rows][columns]) const {
    const std::int64_t plane = static_cast<std::int64_t>(output_height) * output_width;
    float* target = outputs_of(tile, thread, first_channel);
#pragma unroll
    for (int c = 0; c < block; ++c, target += plane) {
      const ScaledActivation<activation_of_all> scaled(c < channels ? scale[first_channel + c]
                                                                    : 0.0f);
      // Added last: sums that began with it would be rounded like it.
      const float offset = c < channels ? bias[first_channel + c] : 0.0f;
#pragma unroll
      for (int r = 0; r < rows; ++r) {
        float* const row = target + static_cast<std::int64_t>(r) * output_width;
        const int stored = c < channels && thread.row + r < tile.rows ? tile.columns : 0;
#pragma unroll
        for (int j = 0; j < columns; ++j) {
          sum[c][r][j] = scaled(sum[c][r][j] + offset);
          if (thread.column + j * column_lanes < stored) row[j * column_lanes] = sum[c][r][j];
        }
      }
    }
  }

  const float* x;
  float* y;
  const float* weights;
  const float* bias;
  const float* scale;
  Activation activation;
  std::int64_t item_count, tiles_down;
  int group_in_channels, chunks;
  int height, width, output_height, output_width;
  int kernel_height, kernel_width, stride_height, stride_width;
  int padding_height, padding_width, dilation_height, dilation_width;
  int in_channels_staged, scratch_bytes;
};

template <class ExecutionSpace, DirectDevicePlan::Source From, int KernelSize, bool Largest>
DirectDevice<ExecutionSpace, From, KernelSize, Largest>::DirectDevice(
    const Plan& plan, const PackedWeightsView<ExecutionSpace>& packed_weights,
    const Epilogue<ExecutionSpace>& epilogue, const FirstPass<ExecutionSpace>& pass)
    : Base(plan, pass),
      x(pass.x),
      y(pass.y),
      weights(packed_weights.data()),
      bias(epilogue.bias.data()),
      scale(epilogue.scale.data()),
      activation(epilogue.activation),
      tiles_down(pass.block.tiles.tiles_down()) {
  const Geometry& g = pass.block.geometry;
  const auto narrow = [](std::int64_t value) { return static_cast<int>(value); };
  group_in_channels = narrow(g.group_in_channels);
  height = narrow(g.height);
  width = narrow(g.width);
  output_height = narrow(g.output_height);
  output_width = narrow(g.output_width);
  kernel_height = narrow(g.kernel_height);
  kernel_width = narrow(g.kernel_width);
  stride_height = narrow(g.stride_height);
  stride_width = narrow(g.stride_width);
  padding_height = narrow(g.padding_height);
  padding_width = narrow(g.padding_width);
  dilation_height = narrow(g.dilation_height);
  dilation_width = narrow(g.dilation_width);
  in_channels_staged = narrow(plan.in_channels_staged);
  scratch_bytes = narrow(plan.scratch_bytes);
  chunks = (group_out_channels + weight_block - 1) / weight_block;
  item_count = pass.images * groups * tiles_down * tiles_across * chunks;
}

// NOLINTEND(bugprone-implicit-widening-of-multiplication-result)

}  // namespace fusedconv::detail

#endif
