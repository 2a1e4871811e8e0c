// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_NORMALIZE_HPP
#define FUSEDCONV_SRC_NORMALIZE_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "moments.hpp"
#include "team.hpp"

namespace fusedconv::detail {

/// What normalising needs of one (image, group).
struct Statistics {
  double mean;
  double inverse_deviation;  ///< 1 / sqrt(variance + eps)
};

/// (image, group)
template <class ExecutionSpace>
using StatisticsView =
    Kokkos::View<Statistics**, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

/// Merges the partial moments of each (image, group) in a fixed order; one team each.
///
/// Chan's formula for many sets at once: the mean first, relative to one of the means so that equal
/// means stay exact, then the squared deviations about it.
template <class ExecutionSpace>
struct MergeMoments {
  using Team = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;

  ConstPartialMomentsView<ExecutionSpace> partial;
  StatisticsView<ExecutionSpace> statistics;
  TileGrid tiles;
  std::int64_t channels_per_group = 0;
  double eps = 0;

  /// An image of few groups has many partial moments in each.
  static constexpr int team_size = runs_on_host<ExecutionSpace> ? 1 : 512;

  KOKKOS_FUNCTION void operator()(const Team& team, const std::int64_t item) const {
    constexpr std::int64_t most_of_32_bits = 1 << 30;  // which a loop's last step may go beyond
    if (channels_per_group * tiles.size() <= most_of_32_bits) {
      merge<std::int32_t>(team, item);
    } else {
      merge<std::int64_t>(team, item);
    }
  }

  template <class Index>
  KOKKOS_FUNCTION void merge(const Team& team, const std::int64_t item) const {
    const std::int64_t groups = statistics.extent(1);
    const std::int64_t image = item / groups;
    const std::int64_t group = item % groups;
    const auto tile_count = static_cast<Index>(tiles.size());
    const TileCounts<Index> counts(tiles);
    const PartialMoments* const first = &partial(image, group * channels_per_group, 0);
    const auto entries = static_cast<Index>(channels_per_group * tile_count);
    const double count = static_cast<double>(channels_per_group * tiles.height * tiles.width);
    const double pivot = first->mean;

    double shifted_sum = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, entries),
        [&](const Index i, double& sum) {
          sum += counts[i % tile_count] * (first[i].mean - pivot);
        },
        shifted_sum);
    const double mean = pivot + shifted_sum / count;

    double m2 = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, entries),
        [&](const Index i, double& sum) {
          const double delta = first[i].mean - mean;
          sum += first[i].m2 + counts[i % tile_count] * delta * delta;
        },
        m2);
    // Squares that were too large for a sum of them leave NaN, never a variance that looks right.
    // Rounded, those of values that hardly differ may be less than none.
    const double variance = Kokkos::isfinite(m2) ? Kokkos::fmax(m2, 0.0) / count
                                                 : Kokkos::Experimental::quiet_NaN_v<double>;
    Kokkos::single(Kokkos::PerTeam(team), [&]() {
      statistics(image, group) = {mean, 1.0 / Kokkos::sqrt(variance + eps)};
    });
  }
};

/// y = (s - mean) / sqrt(variance + eps) * weight + bias in place; a team for each piece of a
/// plane.
template <class ExecutionSpace>
struct Normalize {
  using Team = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  using Vector =
      Kokkos::View<const float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  static constexpr std::int64_t piece = 8192;

  float* y;
  StatisticsView<ExecutionSpace> statistics;
  Vector weight;
  Vector bias;
  std::int64_t channels;
  std::int64_t channels_per_group;
  std::int64_t plane_size;
  std::int64_t pieces_per_plane;

  KOKKOS_FUNCTION void operator()(const Team& team, const std::int64_t item) const {
    const std::int64_t plane = item / pieces_per_plane;
    const std::int64_t begin = item % pieces_per_plane * piece;
    const std::int64_t left = plane_size - begin;
    const std::int64_t length = left < piece ? left : piece;
    const std::int64_t channel = plane % channels;
    const Statistics s = statistics(plane / channels, channel / channels_per_group);
    // Subtracting before multiplying is what keeps constant planes exact and far means accurate.
    const float mean = static_cast<float>(s.mean);
    const float factor = static_cast<float>(s.inverse_deviation * weight(channel));
    // What rounding the mean has left out, which is most of the error where the deviation is small.
    const double rest = (static_cast<double>(mean) - s.mean) * s.inverse_deviation;
    const float offset = static_cast<float>(bias(channel) + rest * weight(channel));
    float* const values = y + plane * plane_size + begin;
    constexpr double smallest_inverse = 0x1p-64;  // of deviations whose squares are floats
    if (!Kokkos::isfinite(factor) || s.inverse_deviation < smallest_inverse) {
      normalize_in_double(team, values, length, s, weight(channel), bias(channel));
    } else if constexpr (runs_on_host<ExecutionSpace>) {
      for (std::int64_t i = 0; i < length; ++i) values[i] = (values[i] - mean) * factor + offset;
    } else {
      normalize_on_device(team, values, static_cast<int>(length), mean, factor, offset);
    }
  }

  /// For weights so large or deviations so small that their quotient is no float, and deviations so
  /// large that a value's is none: the result can be one.
  KOKKOS_FUNCTION static void normalize_in_double(const Team& team, float* values,
                                                  std::int64_t length, const Statistics& s,
                                                  double weight, double bias) {
    const double factor = s.inverse_deviation * weight;
    for (std::int64_t i = team.team_rank(); i < length; i += team.team_size()) {
      values[i] = static_cast<float>((values[i] - s.mean) * factor + bias);
    }
  }

  /// Words of 16 bytes between the unaligned ends, and all loads of a thread's batch under way
  /// before the first store.
  KOKKOS_FUNCTION static void normalize_on_device(const Team& team, float* values, int length,
                                                  float mean, float factor, float offset) {
    struct alignas(16) Four {
      float value[4];
    };
    constexpr int batch = 8;
    const int misaligned =
        static_cast<int>(reinterpret_cast<std::uintptr_t>(values) / sizeof(float) % 4);
    const int head = Kokkos::min(length, (4 - misaligned) % 4);
    const int words = (length - head) / 4;
    auto* const aligned = reinterpret_cast<Four*>(values + head);
    const int rank = team.team_rank();
    const int stride = team.team_size();
    for (int first = rank; first < words; first += batch * stride) {
      Four word[batch];
      for (int b = 0; b < batch; ++b) {
        if (first + b * stride < words) word[b] = aligned[first + b * stride];
      }
      for (int b = 0; b < batch; ++b) {
        for (float& value : word[b].value) value = (value - mean) * factor + offset;
        if (first + b * stride < words) aligned[first + b * stride] = word[b];
      }
    }
    const int ends = length - 4 * words;
    if (rank < ends) {
      float& value = values[rank < head ? rank : 4 * words + rank];
      value = (value - mean) * factor + offset;
    }
  }
};

/// The normalisation of a layer: its parameters and what is known of a run's activations.
template <class ExecutionSpace>
struct GroupNorm {
  TileGrid tiles;  ///< of whole images
  ConstPartialMomentsView<ExecutionSpace> partial;
  StatisticsView<ExecutionSpace> statistics;
  typename Normalize<ExecutionSpace>::Vector weight;
  typename Normalize<ExecutionSpace>::Vector bias;
  double eps = 0;

  std::int64_t channels() const { return partial.extent(1); }
  std::int64_t groups() const { return statistics.extent(1); }
  std::int64_t channels_per_group() const { return channels() / groups(); }

  /// Item: (image, group).
  MergeMoments<ExecutionSpace> merge_moments() const {
    return {partial, statistics, tiles, channels_per_group(), eps};
  }

  /// Item: (image, channel, piece of its plane).
  /// \param plane what y holds of an image
  Normalize<ExecutionSpace> normalize(float* y, const TileGrid& plane) const {
    constexpr std::int64_t piece = Normalize<ExecutionSpace>::piece;
    const std::int64_t plane_size = plane.height * plane.width;
    return {y,          statistics,           weight,     bias,
            channels(), channels_per_group(), plane_size, (plane_size + piece - 1) / piece};
  }

  /// Merges the partial moments of `images` images and normalises their activations y in place.
  void merge_and_normalize(const ExecutionSpace& exec, std::int64_t images, float* y,
                           const TileGrid& plane) const {
    const Normalize<ExecutionSpace> pieces = normalize(y, plane);
    using Merge = MergeMoments<ExecutionSpace>;
    for_each_team<Kokkos::LaunchBounds<Merge::team_size>>(
        "fusedconv::merge_moments", exec, images * groups(), merge_moments(), Merge::team_size);
    for_each_team("fusedconv::normalize", exec, images * channels() * pieces.pieces_per_plane,
                  pieces);
  }
};

}  // namespace fusedconv::detail

#endif
