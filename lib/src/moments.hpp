// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_MOMENTS_HPP
#define FUSEDCONV_SRC_MOMENTS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>

namespace fusedconv::detail {

/// Mean and sum of squared deviations of the activations of one channel in one tile; their number
/// follows from the tile.
struct PartialMoments {
  double mean;
  double m2;
};

/// (image, channel, tile)
template <class ExecutionSpace>
using PartialMomentsView =
    Kokkos::View<PartialMoments***, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;
template <class ExecutionSpace>
using ConstPartialMomentsView = Kokkos::View<const PartialMoments***, Kokkos::LayoutRight,
                                             typename ExecutionSpace::memory_space>;

/// Number, mean and sum of squared deviations of a set of values.
struct Moments {
  double count = 0;
  double mean = 0;
  double m2 = 0;
};

/// The cut of an output plane into tiles whose partial moments are kept. It depends on the shape
/// alone, so that every division of the work merges the same partial moments in the same order.
struct TileGrid {
  std::int64_t height = 1;  ///< rows of the plane
  std::int64_t width = 1;   ///< columns of the plane
  std::int64_t tile_height = 1;
  std::int64_t tile_width = 1;

  KOKKOS_INLINE_FUNCTION std::int64_t tiles_down() const {
    return (height + tile_height - 1) / tile_height;
  }
  KOKKOS_INLINE_FUNCTION std::int64_t tiles_across() const {
    return (width + tile_width - 1) / tile_width;
  }
  KOKKOS_INLINE_FUNCTION std::int64_t size() const { return tiles_down() * tiles_across(); }
  KOKKOS_INLINE_FUNCTION std::int64_t first_row(std::int64_t tile) const {
    return tile / tiles_across() * tile_height;
  }
  KOKKOS_INLINE_FUNCTION std::int64_t first_column(std::int64_t tile) const {
    return tile % tiles_across() * tile_width;
  }
  KOKKOS_INLINE_FUNCTION std::int64_t rows(std::int64_t tile) const {
    return Kokkos::min(tile_height, height - first_row(tile));
  }
  KOKKOS_INLINE_FUNCTION std::int64_t columns(std::int64_t tile) const {
    return Kokkos::min(tile_width, width - first_column(tile));
  }
};

/// The numbers of values of tiles, for those who ask for many.
/// \tparam Index of tiles; GPUs take several times as long to divide 64 bits as 32
template <class Index>
class TileCounts {
 public:
  KOKKOS_INLINE_FUNCTION explicit TileCounts(const TileGrid& tiles)
      : across_(static_cast<Index>(tiles.tiles_across())),
        last_row_(static_cast<Index>(tiles.tiles_down() - 1)),
        rows_(static_cast<double>(tiles.tile_height)),
        columns_(static_cast<double>(tiles.tile_width)),
        rows_of_last_(static_cast<double>(tiles.height - last_row_ * tiles.tile_height)),
        columns_of_last_(static_cast<double>(tiles.width - (across_ - 1) * tiles.tile_width)) {}

  KOKKOS_INLINE_FUNCTION double operator[](Index tile) const {
    const Index row = tile / across_;
    const Index column = tile - row * across_;
    return (row == last_row_ ? rows_of_last_ : rows_) *
           (column == across_ - 1 ? columns_of_last_ : columns_);
  }

 private:
  Index across_;
  Index last_row_;
  double rows_, columns_;
  double rows_of_last_, columns_of_last_;
};

}  // namespace fusedconv::detail

#endif
