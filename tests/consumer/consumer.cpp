// SPDX-License-Identifier: Apache-2.0
// Calls the layer on Views of its own, and checks an output that can be worked out by hand.
#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstdlib>
#include <fusedconv/layer.hpp>
#include <iostream>

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard guard(argc, argv);
  using Space = Kokkos::DefaultExecutionSpace;
  using Tensor = Kokkos::View<float****, Kokkos::LayoutRight, Space::memory_space>;

  // A pointwise convolution with the weight 1 of pixels that are 2 and -2 in turn.
  fusedconv::Shape shape;
  shape.height = 4;
  shape.width = 6;
  const Tensor weight("weight", 1, 1, 1, 1);
  Kokkos::deep_copy(weight, 1.0f);
  fusedconv::Parameters<Space::memory_space> parameters;
  parameters.conv_weight = weight;

  const Tensor x("x", 1, 1, 4, 6);
  const Tensor y("y", 1, 1, 4, 6);
  const auto pixels = Kokkos::create_mirror_view(x);
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 6; ++column) {
      pixels(0, 0, row, column) = (row + column) % 2 == 0 ? 2.0f : -2.0f;
    }
  }
  Kokkos::deep_copy(x, pixels);

  const Space exec;
  const fusedconv::Layer<Space> layer(exec, shape, parameters);
  layer(exec, x, y);
  exec.fence("the output is complete");

  // sigmoid(2) and sigmoid(-2) are as far above and below their mean, 1/2.
  const double deviation = 1 / (1 + std::exp(-2.0)) - 0.5;
  const double normalised = deviation / std::sqrt(deviation * deviation + shape.eps);
  const auto results = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), y);
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 6; ++column) {
      const double expected = (row + column) % 2 == 0 ? normalised : -normalised;
      if (!(std::abs(results(0, 0, row, column) - expected) < 1e-6)) {
        std::cerr << "y(0, 0, " << row << ", " << column << "): expected " << expected << ", found "
                  << results(0, 0, row, column) << "\n";
        return EXIT_FAILURE;
      }
    }
  }
  return EXIT_SUCCESS;
}
