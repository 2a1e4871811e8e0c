// SPDX-License-Identifier: Apache-2.0
#include "ceilings.hpp"

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <algorithm>
#include <cstdint>
#include <limits>

#include "backend.hpp"
#include "timer.hpp"

namespace fusedconv::app {

namespace {

template <class Space>
constexpr bool computes_on_host =
    Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible;

/// A vector register of the host, as GCC's and Clang's vector extension spells it: whether a loop
/// over floats is vectorised would be the compiler's choice.
#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif
using FloatVector = float __attribute__((vector_size(vector_bytes)));
constexpr int vector_length = vector_bytes / static_cast<int>(sizeof(float));

template <class Space>
using Results = Kokkos::View<float*, typename Space::memory_space>;

/// Chains of dependent multiply-adds: 12 of them hide a latency of 4 to 6 cycles of two units, and
/// fit 16 vector registers. A result that is stored keeps the compiler from leaving them out.
template <class Space>
struct HostMultiplyAdds {
  static constexpr int chains = 12;
  static constexpr std::int64_t operations_per_step = 2 * chains * vector_length;

  std::int64_t steps;
  float factor;
  float addend;
  Results<Space> results;

  void operator()(std::int64_t item) const {
    FloatVector value[chains];
    for (int c = 0; c < chains; ++c) value[c] = FloatVector{} + static_cast<float>(item + c);
    for (std::int64_t step = 0; step < steps; ++step) {
      for (int c = 0; c < chains; ++c) value[c] = value[c] * factor + addend;
    }
    FloatVector sum = value[0];
    for (int c = 1; c < chains; ++c) sum += value[c];
    float result = 0;
    for (int lane = 0; lane < vector_length; ++lane) result += sum[lane];
    results(item) = result;
  }
};

/// The same for each thread of a device.
template <class Space>
struct DeviceMultiplyAdds {
  static constexpr int chains = 16;
  static constexpr std::int64_t operations_per_step = 2 * chains;

  std::int64_t steps;
  float factor;
  float addend;
  Results<Space> results;

  KOKKOS_FUNCTION void operator()(std::int64_t item) const {
    float value[chains];
    for (int c = 0; c < chains; ++c) value[c] = static_cast<float>(item + c);
    for (std::int64_t step = 0; step < steps; ++step) {
      for (int c = 0; c < chains; ++c) value[c] = value[c] * factor + addend;
    }
    float result = 0;
    for (int c = 0; c < chains; ++c) result += value[c];
    results(item) = result;
  }
};

template <class Space>
struct Copy {
  Kokkos::View<const float*, typename Space::memory_space> source;
  Kokkos::View<float*, typename Space::memory_space> destination;

  KOKKOS_FUNCTION void operator()(std::int64_t index) const { destination(index) = source(index); }
};

template <class Space>
struct Fill {
  Kokkos::View<float*, typename Space::memory_space> destination;

  KOKKOS_FUNCTION void operator()(std::int64_t index) const { destination(index) = 1; }
};

template <class Space>
using Items = Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>;

/// Seconds of a piece of work that is asynchronous on exec: the least of several.
template <class Space, class Work>
double best_seconds(const Space& exec, int repetitions, const Work& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    exec.fence("fusedconv::app: before the work");
    const Timer timer;
    work();
    exec.fence("fusedconv::app: after the work");
    best = std::min(best, timer.seconds());
  }
  return best;
}

template <class Space>
double measure_fma_gflops(const Space& exec) {
  using MultiplyAdds = std::conditional_t<computes_on_host<Space>, HostMultiplyAdds<Space>,
                                          DeviceMultiplyAdds<Space>>;
  constexpr double long_enough = 0.02;  // seconds: beside it, a launch takes no time
  const std::int64_t items = exec.concurrency();
  MultiplyAdds multiply_adds{1024, 0.999f, 0.001f,
                             Results<Space>("fusedconv::app::results", items)};
  const auto work = [&] {
    Kokkos::parallel_for("fusedconv::app::multiply_adds", Items<Space>(exec, 0, items),
                         multiply_adds);
  };
  while (best_seconds(exec, 3, work) < long_enough) multiply_adds.steps *= 2;
  const double operations = static_cast<double>(MultiplyAdds::operations_per_step) *
                            static_cast<double>(multiply_adds.steps) * static_cast<double>(items);
  return operations / best_seconds(exec, 20, work) * 1e-9;
}

template <class Space>
double measure_copy_gbs(const Space& exec) {
  constexpr std::int64_t bytes = std::int64_t{1} << 29;  // far beyond caches
  constexpr std::int64_t count = bytes / static_cast<std::int64_t>(sizeof(float));
  using Vector = Kokkos::View<float*, typename Space::memory_space>;
  const auto allocate = [&exec](const std::string& label) {
    return Vector(Kokkos::view_alloc(exec, Kokkos::WithoutInitializing, label), count);
  };
  const Vector source = allocate("fusedconv::app::source");
  const Vector destination = allocate("fusedconv::app::destination");
  // On hosts with several memories a page is near the thread that first writes it: the one that
  // copies it. The copies below are the first to write the destination.
  Kokkos::parallel_for("fusedconv::app::fill", Items<Space>(exec, 0, count), Fill<Space>{source});
  const double by_kernel = best_seconds(exec, 5, [&] {
    Kokkos::parallel_for("fusedconv::app::copy", Items<Space>(exec, 0, count),
                         Copy<Space>{source, destination});
  });
  const double by_deep_copy =
      best_seconds(exec, 5, [&] { Kokkos::deep_copy(exec, destination, source); });
  return 2.0 * static_cast<double>(bytes) / std::min(by_kernel, by_deep_copy) * 1e-9;
}

}  // namespace

Ceilings measure_ceilings(const std::string& backend) {
  const Kokkos::Profiling::ScopedRegion region("fusedconv::app::measure_ceilings");
  return dispatch_backend(backend, [](auto tag) {
    const typename decltype(tag)::type exec;
    return Ceilings{measure_fma_gflops(exec), measure_copy_gbs(exec)};
  });
}

Ceilings best_of(const Ceilings& a, const Ceilings& b) {
  return {std::max(a.fma_gflops, b.fma_gflops), std::max(a.copy_gbs, b.copy_gbs)};
}

}  // namespace fusedconv::app
