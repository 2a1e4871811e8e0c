// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_ALGORITHMS_HPP
#define FUSEDCONV_TESTS_ALGORITHMS_HPP

#include <Kokkos_Core.hpp>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>
#include <vector>

namespace fusedconv::test {

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
  return available;
}

}  // namespace fusedconv::test

#endif
