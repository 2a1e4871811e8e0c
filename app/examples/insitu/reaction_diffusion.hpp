// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_EXAMPLES_INSITU_REACTION_DIFFUSION_HPP
#define FUSEDCONV_APP_EXAMPLES_INSITU_REACTION_DIFFUSION_HPP

#include <Kokkos_Core.hpp>
#include <fusedconv/row_range.hpp>

namespace insitu {

using Space = Kokkos::DefaultExecutionSpace;
/// (species, rows, columns): two channels of an image to the layer.
using Field = Kokkos::View<float***, Kokkos::LayoutRight, Space::memory_space>;
/// (side, species, columns): rows for or from the ranks above (0) and below (1), where MPI reaches.
using Halo = Kokkos::View<float***, Kokkos::LayoutRight, Kokkos::SharedHostPinnedSpace>;

/// One explicit step of the Gray-Scott model (Pearson, Science 261, 1993, 189-192), nothing flowing
/// through the edges:
///
///     u' = Du lap(u) - u v^2 + F (1 - u)
///     v' = Dv lap(v) + u v^2 - (F + k) v
struct GrayScottStep {
  Field field;                ///< before the step, halo rows included
  Field next;                 ///< after it
  Halo outgoing;              ///< receives the first and the last row of `next`
  fusedconv::RowRange rows;   ///< the rows of this rank
  std::int64_t first_stored;  ///< the row that `field` begins with

  KOKKOS_FUNCTION void operator()(int owned, int column) const {
    const int row = owned + static_cast<int>(rows.first - first_stored);
    const float u = field(0, row, column);
    const float v = field(1, row, column);
    const float reaction = u * v * v;
    const float new_u = u + 0.16f * laplacian(0, row, column) - reaction + 0.035f * (1 - u);
    const float new_v = v + 0.08f * laplacian(1, row, column) + reaction - (0.035f + 0.06f) * v;
    next(0, row, column) = new_u;
    next(1, row, column) = new_v;
    if (owned == 0) {
      outgoing(0, 0, column) = new_u;
      outgoing(0, 1, column) = new_v;
    }
    if (owned == rows.count - 1) {
      outgoing(1, 0, column) = new_u;
      outgoing(1, 1, column) = new_v;
    }
  }

 private:
  /// Rows and columns are clamped: stored rows end where the domain does.
  KOKKOS_FUNCTION float laplacian(int species, int row, int column) const {
    const int last_row = static_cast<int>(field.extent(1)) - 1;
    const int last_column = static_cast<int>(field.extent(2)) - 1;
    return field(species, row > 0 ? row - 1 : row, column) +
           field(species, row < last_row ? row + 1 : row, column) +
           field(species, row, column > 0 ? column - 1 : column) +
           field(species, row, column < last_column ? column + 1 : column) -
           4 * field(species, row, column);
  }
};

/// Lays rows that have come from the neighbours beside the own ones.
struct HaloRows {
  Halo incoming;
  Field field;
  bool has_above;
  bool has_below;

  KOKKOS_FUNCTION void operator()(int species, int column) const {
    if (has_above) field(species, 0, column) = incoming(0, species, column);
    if (has_below) field(species, field.extent(1) - 1, column) = incoming(1, species, column);
  }
};

/// A square of the second species in the middle of the first.
struct InitialState {
  Field field;
  std::int64_t first_stored;
  std::int64_t height;

  KOKKOS_FUNCTION void operator()(int stored, int column) const {
    const auto width = static_cast<std::int64_t>(field.extent(2));
    const std::int64_t down = 2 * (stored + first_stored) - height;
    const std::int64_t across = std::int64_t{2} * column - width;
    const bool is_seed = down > -24 && down < 24 && across > -24 && across < 24;
    field(0, stored, column) = is_seed ? 0.5f : 1.0f;
    field(1, stored, column) = is_seed ? 0.25f : 0.0f;
  }
};

}  // namespace insitu

#endif
