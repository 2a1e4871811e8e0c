// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_HOST_PATCH_HPP
#define FUSEDCONV_SRC_CONVOLUTION_HOST_PATCH_HPP

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "../float_vector.hpp"
#include "first_pass.hpp"
#include "winograd.hpp"

namespace fusedconv::detail {

/// The copy of a tile's input that the host's convolution reads: padded with zeros and, where
/// columns are strided, split by phase, so that every tap of the kernel reads consecutive floats
/// and the inner loop knows neither padding nor stride. Under Winograd's algorithm its rows are
/// sums and differences of input rows.
///
/// Output columns are computed in strips of up to max_vectors vectors, output rows in steps of one
/// row or, under Winograd's algorithm, two. A step reads step_inputs() rows of the patch for each
/// input channel and kernel column. The patch is laid out in the order in which it is read: (strip,
/// row, input channel, phase, column), where strips overlap.
class HostPatch {
 public:
  enum class Rows { plain, winograd };

  static constexpr int max_vectors = 3;

  struct Strip {
    int vectors;
    std::int64_t first_column;                ///< of the tile
    std::int64_t offset;                      ///< floats from the patch's first
    std::int64_t phase_pitch;                 ///< floats
    std::int64_t channel_pitch;               ///< floats
    std::int64_t row_pitch;                   ///< floats
    std::vector<std::int64_t> column_offset;  ///< kernel column -> floats from the channel's first
  };

  HostPatch() = default;
  /// \param tile_rows    whole steps
  /// \param tile_columns whole vectors
  HostPatch(const Geometry& g, Rows rows, std::int64_t tile_rows, std::int64_t tile_columns);

  std::int64_t step_rows() const { return rows_ == Rows::winograd ? winograd_outputs : 1; }
  std::int64_t step_inputs() const { return step_inputs_; }
  const std::vector<Strip>& strips() const { return strips_; }
  /// The patch row that is the i-th input of a step.
  std::int64_t row(std::int64_t step, std::int64_t i) const {
    return row_[step * step_inputs_ + i];
  }
  /// Size of a patch.
  std::int64_t floats() const { return floats_; }
  /// Size of what fill() works in.
  std::int64_t workspace_floats() const { return channels_at_once_ * raw_channel_pitch_; }

  /// \param input     (group_in_channels, height, width) of a channel group
  /// \param top       input row of the tile's first output and the kernel's first row; may be
  ///                  padding
  /// \param left      likewise the column
  /// \param rows      output rows that the tile has; fewer than the patch at the plane's end
  /// \param columns   likewise its columns
  /// \param patch     floats() long
  /// \param workspace workspace_floats() long
  /// \return false if the patch cannot be used, since a value is not finite or so large that its
  /// sum with another may not be: Winograd's algorithm would spread it
  bool fill(const Geometry& g, const float* input, std::int64_t top, std::int64_t left,
            std::int64_t rows, std::int64_t columns, float* patch, float* workspace) const;

 private:
  /// Rows of channels, (channel, row, phase, column).
  struct RawRows {
    const float* first;
    std::int64_t channel_pitch;
    std::int64_t row_pitch;
  };

  void copy_columns(const Geometry& g, const float* row, std::int64_t first, float* target) const;
  void copy_rows(const Geometry& g, const float* plane, std::int64_t top, std::int64_t left,
                 float* raw) const;
  std::optional<RawRows> rows_in_place(const Geometry& g, const float* planes,
                                       std::int64_t channels, std::int64_t readable_channels,
                                       std::int64_t top, std::int64_t left,
                                       std::int64_t columns) const;
  void split(const RawRows& raw, std::int64_t first_channel, std::int64_t channels,
             std::int64_t strips, float* patch) const;
  IntVector transform(const float* raw, std::int64_t first_channel, std::int64_t channels,
                      std::int64_t steps, std::int64_t strips, float* patch) const;

  // Input rows, and the columns that phases begin at, counted from the tile's first.
  std::vector<std::int64_t> row_slots_;
  std::vector<std::int64_t> phase_starts_;
  std::vector<std::int64_t> row_;  ///< (step, input)
  std::vector<Strip> strips_;
  Rows rows_ = Rows::plain;
  std::int64_t step_inputs_ = 0;
  std::int64_t phase_length_ = 0;  ///< of a whole row
  std::int64_t raw_pitch_ = 0;     ///< of a row
  std::int64_t raw_channel_pitch_ = 0;
  std::int64_t channels_at_once_ = 0;  ///< that fill() takes through its workspace
  std::int64_t floats_ = 0;
};

inline HostPatch::HostPatch(const Geometry& g, Rows rows, std::int64_t tile_rows,
                            std::int64_t tile_columns)
    : rows_(rows) {
  const bool winograd = rows == Rows::winograd;
  const std::int64_t steps = tile_rows / step_rows();
  step_inputs_ = winograd ? winograd_inputs : g.kernel_height;
  row_.resize(steps * step_inputs_);

  // Kernel rows share a row of the patch unless strides and dilation leave gaps between them.
  const std::int64_t reach =
      (tile_rows - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1;
  const bool dense_rows = reach <= tile_rows * g.kernel_height;
  if (dense_rows) {
    for (std::int64_t i = 0; i < reach; ++i) row_slots_.push_back(i);
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    for (std::int64_t i = 0; i < step_inputs_; ++i) {
      std::int64_t& row = row_[step * step_inputs_ + i];
      const std::int64_t input_row = step * g.stride_height + i * g.dilation_height;
      if (winograd) {
        row = step * step_inputs_ + i;
      } else if (dense_rows) {
        row = input_row;
      } else {
        row = static_cast<std::int64_t>(row_slots_.size());
        row_slots_.push_back(input_row);
      }
    }
  }
  const std::int64_t patch_rows =
      winograd ? steps * step_inputs_ : static_cast<std::int64_t>(row_slots_.size());

  // Kernel columns of one phase, input column modulo stride, share it unless dilation spreads them
  // so far that a phase for each is shorter.
  constexpr std::int64_t strip_columns = max_vectors * vector_length;
  std::int64_t largest_shift = (g.kernel_width - 1) * g.dilation_width / g.stride_width;
  const std::int64_t phases_shared =
      std::min(g.kernel_width, g.stride_width / std::gcd(g.stride_width, g.dilation_width));
  const bool by_phase =
      phases_shared * (strip_columns + largest_shift) <= g.kernel_width * strip_columns;
  if (!by_phase) largest_shift = 0;
  std::vector<std::int64_t> phase_of(g.kernel_width);
  std::vector<std::int64_t> shift_of(g.kernel_width);
  for (std::int64_t kw = 0; kw < g.kernel_width; ++kw) {
    const std::int64_t column = kw * g.dilation_width;
    const std::int64_t start = by_phase ? column % g.stride_width : column;
    const auto phase = std::find(phase_starts_.begin(), phase_starts_.end(), start);
    phase_of[kw] = phase - phase_starts_.begin();
    shift_of[kw] = by_phase ? column / g.stride_width : 0;
    if (phase == phase_starts_.end()) phase_starts_.push_back(start);
  }
  const std::int64_t phases = static_cast<std::int64_t>(phase_starts_.size());
  // Whole vectors are copied, beyond the end of a row.
  phase_length_ = tile_columns + largest_shift + vector_length;
  raw_pitch_ = phases * phase_length_;
  raw_channel_pitch_ = static_cast<std::int64_t>(row_slots_.size()) * raw_pitch_;
  constexpr std::int64_t workspace_budget = 32 * 1024;  // a first-level cache
  channels_at_once_ = std::clamp<std::int64_t>(
      workspace_budget / (raw_channel_pitch_ * static_cast<std::int64_t>(sizeof(float))), 1,
      g.group_in_channels);

  // Four vectors go as two and two: one a channel is too few to hide the latency of a multiply-add.
  for (std::int64_t column = 0; column < tile_columns;) {
    const std::int64_t left = (tile_columns - column) / vector_length;
    Strip strip{};
    strip.vectors = static_cast<int>(left == 4 ? 2 : std::min<std::int64_t>(left, max_vectors));
    strip.first_column = column;
    strip.offset = floats_;
    strip.phase_pitch = std::int64_t{strip.vectors} * vector_length + largest_shift;
    strip.channel_pitch = phases * strip.phase_pitch;
    // What is copied beyond the last channel must not reach the next row.
    strip.row_pitch = g.group_in_channels * strip.channel_pitch + vector_length;
    for (std::int64_t kw = 0; kw < g.kernel_width; ++kw) {
      strip.column_offset.push_back(phase_of[kw] * strip.phase_pitch + shift_of[kw]);
    }
    strips_.push_back(strip);
    floats_ += patch_rows * strip.row_pitch;
    column += std::int64_t{strip.vectors} * vector_length;
  }
}

inline bool HostPatch::fill(const Geometry& g, const float* input, std::int64_t top,
                            std::int64_t left, std::int64_t rows, std::int64_t columns,
                            float* patch, float* workspace) const {
  const std::int64_t strips =
      std::find_if(strips_.begin(), strips_.end(),
                   [columns](const Strip& strip) { return strip.first_column >= columns; }) -
      strips_.begin();
  const std::int64_t steps = (rows + step_rows() - 1) / step_rows();
  // Compared as integers, magnitudes are in order, with the infinities and NaN at the end.
  constexpr float largest_allowed = 1e30f;
  IntVector largest = broadcast<IntVector>(std::int32_t{0});
  for (std::int64_t first = 0; first < g.group_in_channels; first += channels_at_once_) {
    const std::int64_t channels = std::min(channels_at_once_, g.group_in_channels - first);
    const float* const planes = input + first * g.height * g.width;
    if (const auto in_place =
            rows_in_place(g, planes, channels, g.group_in_channels - first, top, left, columns)) {
      split(*in_place, first, channels, strips, patch);
      continue;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      copy_rows(g, planes + c * g.height * g.width, top, left, workspace + c * raw_channel_pitch_);
    }
    if (rows_ == Rows::winograd) {
      const IntVector magnitude = transform(workspace, first, channels, steps, strips, patch);
      largest = magnitude > largest ? magnitude : largest;
    } else {
      split({workspace, raw_channel_pitch_, raw_pitch_}, first, channels, strips, patch);
    }
  }
  bool allowed = true;
  for (int lane = 0; lane < vector_length; ++lane) {
    allowed &= largest[lane] <= std::bit_cast<std::int32_t>(largest_allowed);
  }
  return allowed;
}

/// The rows of the input itself, where they serve: without padding, one after the other, and with
/// more of the input behind them, since whole vectors are read. What lies beyond a tile's columns
/// takes part in no output.
/// \param planes   (readable_channels, height, width)
/// \param channels of which this many are wanted
inline std::optional<HostPatch::RawRows> HostPatch::rows_in_place(
    const Geometry& g, const float* planes, std::int64_t channels, std::int64_t readable_channels,
    std::int64_t top, std::int64_t left, std::int64_t columns) const {
  if (rows_ != Rows::plain || g.stride_width != 1 || phase_starts_.size() != 1) return std::nullopt;
  const std::int64_t plane = g.height * g.width;
  const std::int64_t bottom = top + row_slots_.back();
  const std::int64_t right = left + columns - 1 + (g.kernel_width - 1) * g.dilation_width;
  const bool follow_each_other = row_slots_.back() + 1 == std::ssize(row_slots_);
  const bool padded = top < 0 || bottom >= g.height || left < 0 || right >= g.width;
  const std::int64_t read = (channels - 1) * plane + bottom * g.width + left + phase_length_;
  if (!follow_each_other || padded || read > readable_channels * plane) return std::nullopt;
  return RawRows{planes + top * g.width + left, plane, g.width};
}

/// The padded input rows of one channel, (row, phase, column).
inline void HostPatch::copy_rows(const Geometry& g, const float* plane, std::int64_t top,
                                 std::int64_t left, float* raw) const {
  float* target = raw;
  for (const std::int64_t row_slot : row_slots_) {
    const std::int64_t row = top + row_slot;
    const float* const source = row >= 0 && row < g.height ? plane + row * g.width : nullptr;
    for (const std::int64_t start : phase_starts_) {
      copy_columns(g, source, left + start, target);
      target += phase_length_;
    }
  }
}

/// Every stride_width-th column of an input row from `first` on; zeros outside the row.
inline void HostPatch::copy_columns(const Geometry& g, const float* row, std::int64_t first,
                                    float* target) const {
  const std::int64_t stride = g.stride_width;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  if (row != nullptr && first < g.width) {
    begin = first >= 0 ? 0 : std::min(phase_length_, (-first + stride - 1) / stride);
    end = std::max(begin, std::min(phase_length_, (g.width - first + stride - 1) / stride));
  }
  std::fill(target, target + begin, 0.0f);
  if (stride == 1) {
    if (end > begin) std::copy(row + first + begin, row + first + end, target + begin);
  } else {
    for (std::int64_t i = begin; i < end; ++i) target[i] = row[first + i * stride];
  }
  std::fill(target + end, target + phase_length_, 0.0f);
}

/// Puts the rows of some channels where the strips read them.
inline void HostPatch::split(const RawRows& raw, std::int64_t first_channel, std::int64_t channels,
                             std::int64_t strips, float* patch) const {
  const std::int64_t rows = static_cast<std::int64_t>(row_slots_.size());
  const std::int64_t phases = static_cast<std::int64_t>(phase_starts_.size());
  for (std::int64_t s = 0; s < strips; ++s) {
    const Strip& strip = strips_[s];
    for (std::int64_t row = 0; row < rows; ++row) {
      float* target =
          patch + strip.offset + row * strip.row_pitch + first_channel * strip.channel_pitch;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float* source =
            raw.first + c * raw.channel_pitch + row * raw.row_pitch + strip.first_column;
        for (std::int64_t phase = 0; phase < phases; ++phase) {
          for (std::int64_t i = 0; i < strip.phase_pitch; i += vector_length) {
            store(target + i, load(source + i));
          }
          target += strip.phase_pitch;
          source += phase_length_;
        }
      }
    }
  }
}

/// The same for the inputs of Winograd's algorithm.
/// \return the bits of the largest magnitudes of the input
inline IntVector HostPatch::transform(const float* raw, std::int64_t first_channel,
                                      std::int64_t channels, std::int64_t steps,
                                      std::int64_t strips, float* patch) const {
  const std::int64_t phases = static_cast<std::int64_t>(phase_starts_.size());
  const std::int64_t raw_pitch = raw_pitch_;
  IntVector largest = broadcast<IntVector>(std::int32_t{0});
  for (std::int64_t s = 0; s < strips; ++s) {
    const Strip& strip = strips_[s];
    const std::int64_t row_pitch = strip.row_pitch;
    for (std::int64_t step = 0; step < steps; ++step) {
      float* target =
          patch + strip.offset + row(step, 0) * row_pitch + first_channel * strip.channel_pitch;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float* source =
            raw + c * raw_channel_pitch_ + step * winograd_outputs * raw_pitch + strip.first_column;
        for (std::int64_t phase = 0; phase < phases; ++phase) {
          for (std::int64_t i = 0; i < strip.phase_pitch; i += vector_length) {
            FloatVector d[winograd_inputs];
            for (int k = 0; k < winograd_inputs; ++k) {
              d[k] = load(source + k * raw_pitch + i);
              const IntVector magnitude = std::bit_cast<IntVector>(d[k]) & 0x7FFFFFFF;
              largest = magnitude > largest ? magnitude : largest;
            }
            store(target + i, d[0] - d[2]);
            store(target + row_pitch + i, d[1] + d[2]);
            store(target + 2 * row_pitch + i, d[2] - d[1]);
            store(target + 3 * row_pitch + i, d[1] - d[3]);
          }
          target += strip.phase_pitch;
          source += phase_length_;
        }
      }
    }
  }
  return largest;
}

}  // namespace fusedconv::detail

#endif
