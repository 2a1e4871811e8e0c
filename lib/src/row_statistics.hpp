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

/// The way back, of all tiles. Item: (channel, tile).
template <class ExecutionSpace>
struct TakePartialMoments {
  ConstStatisticsWords<ExecutionSpace> words;
  PartialMomentsView<ExecutionSpace> partial;

  KOKKOS_FUNCTION void operator()(const std::int64_t item) const {
    const std::uint64_t* const word = words.data() + item * words_per_partial_moments;
    partial.data()[item] = {Kokkos::bit_cast<double>(word[0]), Kokkos::bit_cast<double>(word[1])};
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

/// Puts an image's moments where those of the first image of a run are.
template <class ExecutionSpace>
void take_from_statistics(const ExecutionSpace& exec,
                          const ConstStatisticsWords<ExecutionSpace>& words,
                          const PartialMomentsView<ExecutionSpace>& partial) {
  const std::int64_t entries = partial.extent(1) * partial.extent(2);
  Kokkos::parallel_for(
      "fusedconv::take_statistics",
      Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(exec, 0, entries),
      TakePartialMoments<ExecutionSpace>{words, partial});
}

}  // namespace fusedconv::detail

#endif
