// SPDX-License-Identifier: Apache-2.0
// A reaction-diffusion simulation that looks at its field through a trained layer every few steps,
// where the field lies and while the simulation goes on. See README.md.
#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fusedconv/layer.hpp>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "analysis.hpp"
#include "reaction_diffusion.hpp"

namespace insitu {
namespace {

constexpr int steps_between_analyses = 10;

/// The layer: 8 features of 2 species. Padding keeps the extents.
fusedconv::Shape layer_shape() {
  fusedconv::Shape shape;
  shape.in_channels = 2;
  shape.height = 192;
  shape.width = 256;
  shape.out_channels = 8;
  shape.kernel_size = {3, 3};
  shape.padding = {1, 1};
  shape.num_groups = 4;
  return shape;
}

/// What a training would have found; here waves of different lengths.
fusedconv::Parameters<Space::memory_space> layer_parameters(const fusedconv::Shape& shape) {
  const Kokkos::View<float****, Kokkos::LayoutRight, Space::memory_space> weight(
      "conv.weight", shape.out_channels, shape.in_channels, shape.kernel_size[0],
      shape.kernel_size[1]);
  const auto values = Kokkos::create_mirror_view(weight);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values.data()[i] = 2 * std::sin(0.7f * static_cast<float>(i));
  }
  Kokkos::deep_copy(weight, values);
  fusedconv::Parameters<Space::memory_space> parameters;
  parameters.conv_weight = weight;
  return parameters;
}

/// The instances of the simulation and of the layer: two streams of a GPU, whose kernels overlap.
/// The kernels of a host backend are complete when their launch returns: two instances would
/// halve the threads of each and gain nothing.
std::array<Space, 2> instances() {
  if constexpr (std::is_same_v<Space, Kokkos::DefaultHostExecutionSpace>) {
    return {Space(), Space()};
  } else {
    const auto parts = Kokkos::Experimental::partition_space(Space(), 1, 1);
    return {parts[0], parts[1]};
  }
}

/// The rows of a rank: whole blocks of `alignment`, shared evenly.
fusedconv::RowRange rows_of_rank(std::int64_t height, std::int64_t alignment, int ranks, int rank) {
  const std::int64_t blocks = (height + alignment - 1) / alignment;
  const std::int64_t first = blocks * rank / ranks * alignment;
  return {first, std::min(height, blocks * (rank + 1) / ranks * alignment) - first};
}

/// Sends the rows at both ends of this rank's to its neighbours and receives theirs.
void exchange(const Halo& outgoing, const Halo& incoming, int rank, int ranks) {
  const int count = static_cast<int>(outgoing.extent(1) * outgoing.extent(2));
  const std::array<int, 2> neighbours{rank > 0 ? rank - 1 : MPI_PROC_NULL,
                                      rank < ranks - 1 ? rank + 1 : MPI_PROC_NULL};
  std::array<MPI_Request, 4> requests{};
  for (int side = 0; side < 2; ++side) {
    MPI_Irecv(&incoming(side, 0, 0), count, MPI_FLOAT, neighbours[side], 1 - side, MPI_COMM_WORLD,
              &requests[side]);
    MPI_Isend(&outgoing(side, 0, 0), count, MPI_FLOAT, neighbours[side], side, MPI_COMM_WORLD,
              &requests[2 + side]);
  }
  MPI_Waitall(4, requests.data(), MPI_STATUSES_IGNORE);
}

/// Writes (channels, all rows, columns) as plain float32.
void write(const std::string& path, const Field& values, const fusedconv::RowRange& rows,
           std::int64_t height) {
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), values);
  const std::array<int, 3> all{static_cast<int>(values.extent(0)), static_cast<int>(height),
                               static_cast<int>(values.extent(2))};
  const std::array<int, 3> own{all[0], static_cast<int>(rows.count), all[2]};
  const std::array<int, 3> first{0, static_cast<int>(rows.first), 0};
  MPI_Datatype place = MPI_DATATYPE_NULL;
  MPI_Type_create_subarray(3, all.data(), own.data(), first.data(), MPI_ORDER_C, MPI_FLOAT, &place);
  MPI_Type_commit(&place);
  MPI_File file = MPI_FILE_NULL;
  // Errors of files are not fatal to MPI unless it is told so.
  MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_ARE_FATAL);
  MPI_File_open(MPI_COMM_WORLD, path.c_str(), MPI_MODE_CREATE | MPI_MODE_WRONLY, MPI_INFO_NULL,
                &file);
  MPI_File_set_size(file, 0);
  MPI_File_set_view(file, 0, MPI_FLOAT, place, "native", MPI_INFO_NULL);
  MPI_File_write_all(file, host.data(), static_cast<int>(host.size()), MPI_FLOAT,
                     MPI_STATUS_IGNORE);
  MPI_File_close(&file);
  MPI_Type_free(&place);
}

int run(int steps, const std::string& output) {
  int rank = 0;
  int ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);

  // Rows are shared as the layer wants them, and stored with those that the layer needs besides:
  // one more where there is a neighbour, which is the halo of the simulation as well.
  const fusedconv::Shape shape = layer_shape();
  const std::int64_t alignment = fusedconv::Layer<Space>::plan(shape).row_alignment;
  const std::int64_t blocks = (shape.height + alignment - 1) / alignment;
  if (ranks > blocks) {
    if (rank == 0) {
      std::cerr << "insitu: ranks: expected at most " << blocks << ", one for each " << alignment
                << " rows, found " << ranks << "\n";
    }
    return 2;
  }
  const fusedconv::RowRange rows = rows_of_rank(shape.height, alignment, ranks, rank);
  const fusedconv::RowRange stored = fusedconv::input_rows(shape, rows);

  const auto [simulation, layer_instance] = instances();
  Analysis analysis(layer_instance, shape, layer_parameters(shape), rows);

  // A step goes from one field to another. The third is there for the layer, which may still look
  // at a field when two more steps have been made.
  std::array<Field, 3> fields;
  for (Field& field : fields) field = Field("field", 2, stored.count, shape.width);
  const Halo outgoing("outgoing rows", 2, 2, shape.width);
  const Halo incoming("incoming rows", 2, 2, shape.width);
  using Plane = Kokkos::MDRangePolicy<Space, Kokkos::Rank<2>>;
  Kokkos::parallel_for("insitu::initial_state",
                       Plane(simulation, {0, 0}, {stored.count, shape.width}),
                       InitialState{fields[0], stored.first, shape.height});

  std::size_t current = 0;
  std::size_t analysed = 0;
  {
    const Kokkos::Profiling::ScopedRegion region("insitu::steps");
    for (int step = 0; step < steps; ++step) {
      const bool is_analysed = step % steps_between_analyses == 0;
      if (is_analysed) {
        analysis.complete();  // The field that it looked at is free again.
        simulation.fence("insitu: the field is complete, which another instance is to read");
        analysed = current;
        analysis.begin(fields[analysed]);
      }

      // While the layer convolves, the simulation makes its next step from the same field.
      const std::size_t next = analysed == current ? (current + 1) % 3 : 3 - current - analysed;
      Kokkos::parallel_for(
          "insitu::step", Plane(simulation, {0, 0}, {rows.count, shape.width}),
          GrayScottStep{fields[current], fields[next], outgoing, rows, stored.first});
      if (is_analysed) analysis.begin_sum();
      simulation.fence("insitu: the rows for the neighbours are complete");
      exchange(outgoing, incoming, rank, ranks);
      Kokkos::parallel_for("insitu::halo_rows", Plane(simulation, {0, 0}, {2, shape.width}),
                           HaloRows{incoming, fields[next], rank > 0, rank < ranks - 1});
      if (is_analysed) analysis.normalize();  // And it goes on while the layer normalises.
      current = next;
    }
    analysis.complete();
  }

  if (!output.empty()) write(output, analysis.features(), rows, shape.height);
  if (rank == 0) {
    std::cout << "insitu: " << steps << " steps, features every " << steps_between_analyses
              << ", on " << ranks << " ranks of " << Space::name() << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace insitu

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int exit_code = 2;
  {
    const Kokkos::ScopeGuard guard(argc, argv);
    int steps = 0;
    const std::string_view text = argc > 1 ? argv[1] : "";
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), steps);
    if (argc > 3 || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
        steps < 1) {
      std::cerr << "usage: insitu STEPS [FILE]\n"
                   "FILE receives the last features: (8, 192, 256) float32\n";
    } else {
      exit_code = insitu::run(steps, argc > 2 ? argv[2] : "");
    }
  }
  MPI_Finalize();
  return exit_code;
}
