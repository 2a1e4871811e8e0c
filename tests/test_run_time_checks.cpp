// SPDX-License-Identifier: Apache-2.0
//
// Builds with run-time checks end where a program does what they are to find. Their silence in all
// other tests would mean nothing without.

#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <limits>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace fusedconv::test {
namespace {

using HostSpace = Kokkos::DefaultHostExecutionSpace;
using HostView = Kokkos::View<float**, Kokkos::LayoutRight, HostSpace>;

/// What the compiler cannot know.
template <class Value>
Value opaque(Value value) {
  volatile Value hidden = value;
  return hidden;
}

class RunTimeChecks : public testing::Test {
 protected:
  // Kokkos has threads already, and they are not in a copy of the process.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(RunTimeChecks, EndAtAnIndexPastAViewsExtent) {
  const HostView view("two by three", 2, 3);
  view(1, opaque(2)) = 1;
  EXPECT_DEATH(view(0, opaque(3)) = 1, "bounds.*two by three");
  EXPECT_DEATH(view(opaque(-1), 0) = 1, "bounds.*two by three");
}

TEST_F(RunTimeChecks, EndAtAnIndexPastAViewsExtentInAKernel) {
  const HostView view("two by three", 2, 3);
  const auto fill = [&](int columns) {
    Kokkos::parallel_for("fill", Kokkos::RangePolicy<HostSpace>(0, columns),
                         [=](const int column) { view(0, column) = 1; });
    Kokkos::fence("filled");
  };
  fill(3);
  EXPECT_DEATH(fill(4), "bounds.*two by three");
}

TEST_F(RunTimeChecks, EndAtAnIndexPastAVectorsSize) {
  std::vector<int> values(3);
  EXPECT_DEATH(values[opaque(std::size_t{3})] = 1, "Assertion '__n < this->size\\(\\)' failed");
}

#ifdef __SANITIZE_ADDRESS__

TEST_F(RunTimeChecks, EndAtAnAddressPastAnAllocation) {
  const std::vector<float> values(3);
  EXPECT_DEATH(opaque(values.data()[opaque(3)]), "heap-buffer-overflow");
}

TEST_F(RunTimeChecks, EndAtALeak) {
  EXPECT_DEATH(
      {
        // The stack may still point to the last.
        for (int i = 0; i < 100; ++i) opaque(new int(i));
        __lsan_do_leak_check();
      },
      "detected memory leaks");
}

TEST_F(RunTimeChecks, EndAtUndefinedArithmetic) {
  EXPECT_DEATH(opaque(opaque(std::numeric_limits<int>::max()) + opaque(1)),
               "signed integer overflow");
  EXPECT_DEATH(opaque(static_cast<int>(opaque(1e10))), "outside the range of representable values");
}

#endif

}  // namespace
}  // namespace fusedconv::test
