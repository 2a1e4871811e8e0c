// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_EXAMPLES_INSITU_ANALYSIS_HPP
#define FUSEDCONV_APP_EXAMPLES_INSITU_ANALYSIS_HPP

#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <fusedconv/layer.hpp>
#include <fusedconv/row_range.hpp>

#include "reaction_diffusion.hpp"

namespace insitu {

using Statistics = Kokkos::View<std::uint64_t*, Kokkos::LayoutRight, Space::memory_space>;

struct Zeros {
  Statistics words;

  KOKKOS_FUNCTION void operator()(std::size_t i) const { words(i) = 0; }
};

/// A trained layer on the field of a simulation, whose rows are shared by the ranks. Every rank
/// computes the features of its rows; the statistics of the normalisation are those of all rows.
///
/// Everything is allocated when it is made. The four calls below are made in their order, as often
/// as features are wanted; the simulation goes on between them.
class Analysis {
 public:
  /// \param instance what the layer runs on, beside the simulation's
  /// \param rows     those of this rank: as Plan::row_alignment says
  Analysis(const Space& instance, const fusedconv::Shape& shape,
           const fusedconv::Parameters<Space::memory_space>& parameters,
           const fusedconv::RowRange& rows)
      : instance_(instance),
        layer_(instance, shape, parameters),
        rows_(rows),
        features_("features", shape.out_channels, rows.count, shape.output_width()),
        statistics_("statistics", layer_.plan().row_statistics_words),
        host_statistics_(Kokkos::create_mirror_view(Kokkos::SharedHostPinnedSpace(), statistics_)) {
  }

  /// Enqueues the convolution and the activation of a field that is complete, halo rows included.
  /// The field must stay as it is until complete() has returned.
  void begin(const Field& field) {
    field_ = field;
    // Not deep_copy(), which fences in some releases of Kokkos.
    Kokkos::parallel_for("insitu::clear_statistics",
                         Kokkos::RangePolicy<Space>(instance_, 0, statistics_.extent(0)),
                         Zeros{statistics_});
    layer_.activate_rows(instance_, rows_, field_, features_, statistics_);
    if (!is_shared()) Kokkos::deep_copy(instance_, host_statistics_, statistics_);
  }

  /// Begins to sum the statistics over the ranks.
  void begin_sum() {
    instance_.fence("insitu: the statistics of this rank are complete");
    MPI_Iallreduce(MPI_IN_PLACE, host_statistics_.data(), static_cast<int>(host_statistics_.size()),
                   MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD, &sum_);
  }

  /// Enqueues the normalisation.
  void normalize() {
    MPI_Wait(&sum_, MPI_STATUS_IGNORE);
    if (!is_shared()) Kokkos::deep_copy(instance_, statistics_, host_statistics_);
    layer_.normalize_rows(instance_, rows_, field_, features_, statistics_);
  }

  /// Waits for the features.
  void complete() const { instance_.fence("insitu: the features are complete"); }

  /// (channels, rows of this rank, columns)
  const Field& features() const { return features_; }

 private:
  /// Whether MPI reaches the statistics where the layer has them.
  bool is_shared() const { return host_statistics_.data() == statistics_.data(); }

  using HostStatistics =
      Kokkos::View<std::uint64_t*, Kokkos::LayoutRight, Kokkos::SharedHostPinnedSpace>;

  Space instance_;
  fusedconv::Layer<Space> layer_;
  fusedconv::RowRange rows_;
  Field field_;
  Field features_;
  Statistics statistics_;
  HostStatistics host_statistics_;
  MPI_Request sum_ = MPI_REQUEST_NULL;
};

}  // namespace insitu

#endif
