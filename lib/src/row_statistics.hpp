// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_ROW_STATISTICS_HPP
#define FUSEDCONV_SRC_ROW_STATISTICS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "moments.hpp"

/// The partial moments of an image's tiles as words that callers add up: those of a tile that
/// another block has are 0, so that the sum of all blocks' words is each tile's bits.
namespace fusedconv::detail {

inline constexpr std::int64_t words_per_partial_moments = 2;

template <class ExecutionSpace>
using StatisticsWords =
    Kokkos::View<std::uint64_t*, Kokkos::LayoutRight,
                 Kokkos::Device<ExecutionSpace, typename ExecutionSpace::memory_space>,
                 Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
template <class ExecutionSpace>
using ConstStatisticsWords =
    Kokkos::View<const std::uint64_t*, Kokkos::LayoutRight,
                 Kokkos::Device<ExecutionSpace, typename ExecutionSpace::memory_space>,
                 Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

/// Adds the bits of some tiles' moments. Item: (channel, tile of the block).
template <class ExecutionSpace>
struct AddPartialMoments {
  PartialMomentsView<ExecutionSpace> partial;
  StatisticsWords<ExecutionSpace> words;
  std::int64_t first_tile;
  std::int64_t tiles;

  KOKKOS_FUNCTION void operator()(const std::int64_t item) const {
    const std::int64_t channel = item / tiles;
    const std::int64_t tile = first_tile + item % tiles;
    const PartialMoments& moments = partial(0, channel, tile);
    const std::int64_t image_tiles = partial.extent(2);
    std::uint64_t* const word =
        words.data() + (channel * image_tiles + tile) * words_per_partial_moments;
    word[0] += Kokkos::bit_cast<std::uint64_t>(moments.mean);
    word[1] += Kokkos::bit_cast<std::uint64_t>(moments.m2);
  }
};

/// Adds the moments of tiles first_tile to first_tile + tiles - 1 of the first image.
template <class ExecutionSpace>
void add_to_statistics(const ExecutionSpace& exec,
                       const PartialMomentsView<ExecutionSpace>& partial, std::int64_t first_tile,
                       std::int64_t tiles, const StatisticsWords<ExecutionSpace>& words) {
  const std::int64_t channels = partial.extent(1);
  Kokkos::parallel_for("fusedconv::add_statistics",
                       Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(
                           exec, 0, channels * tiles),
                       AddPartialMoments<ExecutionSpace>{partial, words, first_tile, tiles});
}

/// The moments of an image's tiles, where the words that have them all lie: two a tile.
template <class ExecutionSpace>
ConstPartialMomentsView<ExecutionSpace> moments_in(
    const ConstStatisticsWords<ExecutionSpace>& words, std::int64_t channels, std::int64_t tiles) {
  static_assert(sizeof(PartialMoments) == words_per_partial_moments * sizeof(std::uint64_t));
  return ConstPartialMomentsView<ExecutionSpace>(
      reinterpret_cast<const PartialMoments*>(words.data()), 1, channels, tiles);
}

}  // namespace fusedconv::detail

#endif
