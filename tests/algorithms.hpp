// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_ALGORITHMS_HPP
#define FUSEDCONV_TESTS_ALGORITHMS_HPP

#include <fusedconv/options.hpp>
#include <vector>

namespace fusedconv::test {

/// Every value of Algorithm that this build of the library has.
inline std::vector<Algorithm> available_algorithms() {
  std::vector<Algorithm> available;
  for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::direct, Algorithm::gemm}) {
    if (is_available(algorithm)) available.push_back(algorithm);
  }
  return available;
}

}  // namespace fusedconv::test

#endif
