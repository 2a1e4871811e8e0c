// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_ALGORITHMS_HPP
#define FUSEDCONV_TESTS_ALGORITHMS_HPP

#include <Kokkos_Core.hpp>
#include <fusedconv/error.hpp>
#include <fusedconv/layer.hpp>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>
#include <vector>

namespace fusedconv::test {

/// Whether a layer of this shape can be made with the algorithm.
template <class ExecutionSpace>
bool can_be_planned(const Shape& shape, Algorithm algorithm) {
  try {
    Layer<ExecutionSpace>::plan(shape, {.algorithm = algorithm});
  } catch (const InvalidArgument&) {
    return false;
  }
  return true;
}

/// Every value of Algorithm that this build of the library has for a shape on an execution space.
template <class ExecutionSpace>
std::vector<Algorithm> available_algorithms(const Shape& shape) {
  constexpr bool on_host =
      Kokkos::SpaceAccessibility<Kokkos::HostSpace,
                                 typename ExecutionSpace::memory_space>::accessible;
  const bool winograd =
      on_host && shape.kernel_size[0] == 3 && shape.stride[0] == 1 && shape.dilation[0] == 1;
  std::vector<Algorithm> available;
  for (const Algorithm algorithm :
       {Algorithm::automatic, Algorithm::direct, Algorithm::winograd, Algorithm::gemm}) {
    if (is_available(algorithm) && (winograd || algorithm != Algorithm::winograd)) {
      available.push_back(algorithm);
    }
  }
  // Which shapes and devices have it is tested in test_tensor_core.cpp.
  if (can_be_planned<ExecutionSpace>(shape, Algorithm::tensor_core)) {
    available.push_back(Algorithm::tensor_core);
  }
  return available;
}

}  // namespace fusedconv::test

#endif
