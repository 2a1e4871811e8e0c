// SPDX-License-Identifier: Apache-2.0
#include "computation.hpp"

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <exception>
#include <fusedconv/error.hpp>
#include <fusedconv/layer.hpp>
#include <fusedconv/parameters.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend.hpp"
#include "timer.hpp"

namespace fusedconv::app {

namespace {

template <class MemorySpace>
using Buffer = Kokkos::View<float*, Kokkos::LayoutRight, MemorySpace>;

template <class MemorySpace>
std::vector<Buffer<MemorySpace>> allocate(const std::string& label, int count,
                                          std::int64_t elements) {
  std::vector<Buffer<MemorySpace>> buffers;
  try {
    for (int buffer = 0; buffer < count; ++buffer) {
      buffers.emplace_back(
          Kokkos::view_alloc(Kokkos::WithoutInitializing, "fusedconv::app::" + label), elements);
    }
  } catch (const std::exception&) {
    // Which exception Kokkos throws depends on its version and on the memory space.
    throw OutOfMemory(label, MemorySpace::name(),
                      count * elements * static_cast<std::int64_t>(sizeof(float)));
  }
  return buffers;
}

/// Instances that work at the same time, where the backend has such.
template <class Space>
struct Streams {
  Space up, compute, down;

  static Streams make() {
    const auto instances = Kokkos::Experimental::partition_space(Space(), 1, 1, 1);
    return {instances[0], instances[1], instances[2]};
  }
};

template <class Space>
class BackendComputation : public Computation {
  using MemorySpace = typename Space::memory_space;
  static constexpr bool on_host =
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, MemorySpace>::accessible;
  using HostMemory = std::conditional_t<on_host, MemorySpace, Kokkos::SharedHostPinnedSpace>;
  using Images = Kokkos::View<float****, Kokkos::LayoutRight, MemorySpace,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Statistics = Kokkos::View<std::uint64_t*, Kokkos::LayoutRight, MemorySpace>;

 public:
  BackendComputation(const Shape& shape, const hdf5::HostParameters& parameters,
                     const Options& options, const Buffers& buffers)
      : host_inputs_(
            allocate<HostMemory>("input on the host", buffers.count, buffers.input_elements)),
        host_outputs_(
            allocate<HostMemory>("output on the host", buffers.count, buffers.output_elements)),
        shape_(shape),
        layer_(Space(), shape, on_backend(shape, parameters), options) {
    if constexpr (on_host) {
      inputs_ = host_inputs_;
      outputs_ = host_outputs_;
    } else {
      inputs_ = allocate<MemorySpace>("input on the device", buffers.count, buffers.input_elements);
      outputs_ =
          allocate<MemorySpace>("output on the device", buffers.count, buffers.output_elements);
    }
  }

  float* input(int buffer) override { return host_inputs_[buffer].data(); }
  const float* output(int buffer) override { return host_outputs_[buffer].data(); }

  ComputeSeconds run(PieceQueue& pieces, std::int64_t repeat) override {
    seconds_ = {};
    if constexpr (on_host) {
      run_on_host(pieces, repeat);
    } else {
      run_on_device(pieces, repeat);
    }
    return seconds_;
  }

 private:
  void run_on_host(PieceQueue& pieces, std::int64_t repeat) {
    const Space exec;
    while (const std::optional<ReadPiece> next = pieces.next()) {
      const int output = pieces.acquire_output();
      compute(pieces, exec, next->piece, inputs_[next->buffer], outputs_[output], repeat);
      pieces.release_input(next->buffer);
      if (next->piece.is_written()) {
        pieces.write(next->piece, output);
      } else {
        pieces.release_output(output);
      }
    }
  }

  /// Each turn copies the input of a piece, computes the piece before it and copies the output of
  /// the one before that.
  void run_on_device(PieceQueue& pieces, std::int64_t repeat) {
    struct OnDevice {
      Piece piece;
      std::size_t slot = 0;
    };
    // Kept where this throws: those of a lost GPU cannot be destroyed.
    const Streams<Space>& streams = streams_.emplace(Streams<Space>::make());
    std::optional<OnDevice> uploaded;
    std::optional<OnDevice> computed;
    std::size_t turn = 0;
    for (;;) {
      const bool idle = !uploaded && !computed;
      const std::optional<ReadPiece> next = idle ? pieces.next() : pieces.poll();
      if (idle && !next) return;

      const Timer timer;
      const std::size_t slot = turn++ % inputs_.size();
      if (next) {
        copy(streams.up, inputs_[slot], host_inputs_[next->buffer],
             input_elements(shape_, next->piece));
      }
      int output = 0;
      if (computed) {
        output = pieces.acquire_output();
        copy(streams.down, host_outputs_[output], outputs_[computed->slot],
             output_elements(shape_, computed->piece));
      }
      if (uploaded) {
        compute(pieces, streams.compute, uploaded->piece, inputs_[uploaded->slot],
                outputs_[uploaded->slot], repeat);
      }
      if (computed) {
        streams.down.fence("fusedconv::app: output is on the host");
        pieces.write(computed->piece, output);
      }
      if (next) {
        streams.up.fence("fusedconv::app: input is on the device");
        pieces.release_input(next->buffer);
      }
      // Where a piece was computed meanwhile this is an upper bound.
      if (next || computed) seconds_.transfer += timer.seconds();
      computed.reset();
      if (uploaded && uploaded->piece.is_written()) computed = uploaded;
      uploaded.reset();
      if (next) uploaded = OnDevice{next->piece, slot};
    }
  }

  void compute(PieceQueue& pieces, const Space& exec, const Piece& piece,
               const Buffer<MemorySpace>& input, const Buffer<MemorySpace>& output,
               std::int64_t repeat) {
    const Images x(input.data(), piece.images, shape_.in_channels, input_region(shape_, piece).rows,
                   shape_.width);
    const Images y(output.data(), piece.images, shape_.out_channels, piece.rows,
                   shape_.output_width());
    if (!piece.split) {
      time(exec, repeat, [&](bool) { layer_(exec, x, y); });
      return;
    }
    if (piece.begins_statistics) start_statistics(exec);
    const RowRange rows{piece.first_row, piece.rows};
    if (!piece.is_empty()) {
      const bool adds = piece.sweep != Sweep::output;
      time(exec, repeat, [&](bool first_time) {
        layer_.activate_rows(exec, rows, x, y, first_time && adds ? statistics_ : Statistics());
      });
    }
    if (piece.completes_statistics) sum_statistics(pieces, exec);
    if (piece.is_written()) {
      time(exec, 1, [&](bool) { layer_.normalize_rows(exec, rows, x, y, statistics_); });
    }
  }

  /// Runs a computation as often as asked and adds to the seconds.
  template <class Function>
  void time(const Space& exec, std::int64_t repeat, Function&& function) {
    std::vector<double> runs;
    for (std::int64_t run = 0; run < repeat; ++run) {
      const Timer timer;
      function(run == 0);
      exec.fence("fusedconv::app: piece is computed");
      runs.push_back(timer.seconds());
      seconds_.all += runs.back();
    }
    std::sort(runs.begin(), runs.end());
    seconds_.minimum += runs.front();
    seconds_.median += (runs[(runs.size() - 1) / 2] + runs[runs.size() / 2]) / 2;
  }

  void start_statistics(const Space& exec) {
    if (statistics_.data() == nullptr) {
      statistics_ = Statistics(
          Kokkos::view_alloc(exec, Kokkos::WithoutInitializing, "fusedconv::app::statistics"),
          layer_.plan().row_statistics_words);
      host_statistics_ = Kokkos::create_mirror_view(statistics_);
    }
    Kokkos::deep_copy(exec, statistics_, 0);
  }

  void sum_statistics(PieceQueue& pieces, const Space& exec) {
    Kokkos::deep_copy(exec, host_statistics_, statistics_);
    exec.fence("fusedconv::app: statistics are on the host");
    pieces.sum_statistics(host_statistics_.data(),
                          static_cast<std::int64_t>(host_statistics_.size()));
    Kokkos::deep_copy(exec, statistics_, host_statistics_);
  }

  template <class Target, class Source>
  static void copy(const Space& exec, const Target& target, const Source& source,
                   std::int64_t elements) {
    const std::pair<std::int64_t, std::int64_t> part(0, elements);
    Kokkos::deep_copy(exec, Kokkos::subview(target, part), Kokkos::subview(source, part));
  }

  static Parameters<MemorySpace> on_backend(const Shape& shape,
                                            const hdf5::HostParameters& parameters) {
    const auto vector = [](const std::vector<float>& values) {
      using Host = Kokkos::View<const float*, Kokkos::LayoutRight, Kokkos::HostSpace,
                                Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
      typename Parameters<MemorySpace>::Vector view;
      if (!values.empty()) {
        view =
            Kokkos::create_mirror_view_and_copy(MemorySpace(), Host(values.data(), values.size()));
      }
      return view;
    };
    using HostWeight = Kokkos::View<const float****, Kokkos::LayoutRight, Kokkos::HostSpace,
                                    Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    const HostWeight weight(parameters.conv_weight.data(), shape.out_channels,
                            shape.in_channels_per_group(), shape.kernel_size[0],
                            shape.kernel_size[1]);
    return {.conv_weight = Kokkos::create_mirror_view_and_copy(MemorySpace(), weight),
            .conv_bias = vector(parameters.conv_bias),
            .bias = vector(parameters.bias),
            .scale = vector(parameters.scale),
            .group_norm_weight = vector(parameters.group_norm_weight),
            .group_norm_bias = vector(parameters.group_norm_bias)};
  }

  std::vector<Buffer<HostMemory>> host_inputs_;
  std::vector<Buffer<HostMemory>> host_outputs_;
  std::vector<Buffer<MemorySpace>> inputs_;
  std::vector<Buffer<MemorySpace>> outputs_;
  Shape shape_;
  Layer<Space> layer_;
  std::optional<Streams<Space>> streams_;
  Statistics statistics_;  // of the split image in hand
  decltype(Kokkos::create_mirror_view(Statistics())) host_statistics_;
  ComputeSeconds seconds_;
};

}  // namespace

std::unique_ptr<Computation> make_computation(const std::string& backend, const Shape& shape,
                                              const hdf5::HostParameters& parameters,
                                              const Options& options, const Buffers& buffers) {
  return dispatch_backend(backend, [&](auto tag) -> std::unique_ptr<Computation> {
    using Space = typename decltype(tag)::type;
    return std::make_unique<BackendComputation<Space>>(shape, parameters, options, buffers);
  });
}

BackendPlan plan_on(const std::string& backend, const Shape& shape, const Options& options) {
  return dispatch_backend(backend, [&](auto tag) {
    const Plan plan = Layer<typename decltype(tag)::type>::plan(shape, options);
    return BackendPlan{plan.algorithm, plan.description, plan.workspace_bytes, plan.row_alignment,
                       plan.row_statistics_words};
  });
}

}  // namespace fusedconv::app
