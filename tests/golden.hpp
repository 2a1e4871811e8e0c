// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_GOLDEN_HPP
#define FUSEDCONV_TESTS_GOLDEN_HPP

#include <string>
#include <vector>

#include "problem.hpp"

namespace fusedconv::test {

/// One file of tests/data: a problem and what PyTorch makes of it.
struct Golden {
  Problem problem;
  std::vector<double> output;         ///< PyTorch in float64
  std::vector<float> output_float32;  ///< PyTorch in float32
};

/// Names of the golden files, without ".h5", in alphabetical order.
std::vector<std::string> golden_names();

Golden read_golden(const std::string& name);

}  // namespace fusedconv::test

#endif
