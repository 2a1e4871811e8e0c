// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_EXECUTION_SPACE_TYPES_HPP
#define FUSEDCONV_TESTS_EXECUTION_SPACE_TYPES_HPP

#include <gtest/gtest.h>

#include <fusedconv/execution_spaces.hpp>
#include <string>
#include <tuple>

namespace fusedconv::test {

template <class Tuple>
struct TestTypes;

template <class... Spaces>
struct TestTypes<std::tuple<Spaces...>> {
  using type = ::testing::Types<Spaces...>;
};

/// For TYPED_TEST_SUITE: every execution space that the library was built for.
using ExecutionSpaceTypes = TestTypes<ExecutionSpaces>::type;

/// Names the tests "SUITE/Cuda.TEST".
struct ExecutionSpaceNames {
  template <class ExecutionSpace>
  static std::string GetName(int) {
    return ExecutionSpace::name();
  }
};

}  // namespace fusedconv::test

#endif
