// SPDX-License-Identifier: Apache-2.0
// Must not compile: every call gives Layer something that its types alone show to be wrong. Each
// line "expected:" below is a part of the compiler's output.
#include <Kokkos_Core.hpp>
#include <fusedconv/layer.hpp>

namespace {

using Space = Kokkos::DefaultExecutionSpace;
using Right = Kokkos::View<float****, Kokkos::LayoutRight, Space::memory_space>;

/// A memory that no execution space has access to.
struct FarMemory {
  using memory_space = FarMemory;
  using execution_space = Space;
  using device_type = Kokkos::Device<execution_space, memory_space>;
  using size_type = Space::memory_space::size_type;
  static constexpr const char* name() { return "Far"; }
};

}  // namespace

void wrong_views(
    const fusedconv::Layer<Space>& layer, const Space& exec, const Right& right,
    const Kokkos::View<float**, Kokkos::LayoutRight, Space::memory_space>& rank_2,
    const Kokkos::View<double****, Kokkos::LayoutRight, Space::memory_space>& doubles,
    const Kokkos::View<fusedconv::Float16****, Kokkos::LayoutRight, Space::memory_space>& halves,
    const Kokkos::View<const float****, Kokkos::LayoutRight, Space::memory_space>& input,
    const Kokkos::View<float****, Kokkos::LayoutLeft, Space::memory_space>& left,
    const Kokkos::View<float****, Kokkos::LayoutRight, FarMemory>& far) {
  layer(exec, 1.0f, right);     // expected: x and y must be Kokkos::Views
  layer(exec, rank_2, right);   // expected: x must have rank 4
  layer(exec, right, rank_2);   // expected: y must have rank 4
  layer(exec, doubles, right);  // expected: x must hold float
  layer(exec, right, doubles);  // expected: y must hold float, Float16 or BFloat16, not const
  layer(exec, right, input);    // expected: y must hold float, Float16 or BFloat16, not const
  layer(exec, left, right);     // expected: x and y must be LayoutRight
  layer(exec, far, right);      // expected: x and y must be accessible

  layer.activate_rows(exec, {0, 1}, halves, right, {});  // expected: blocks of rows must hold float
}
