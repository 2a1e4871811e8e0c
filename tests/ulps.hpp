// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_ULPS_HPP
#define FUSEDCONV_TESTS_ULPS_HPP

#include <cmath>
#include <limits>

namespace fusedconv::test {

/// Distance of a float32 result from a double-precision one, in units in the last place of the
/// float nearest to it.
inline double ulps_from(float result, double expected) {
  const float nearest = static_cast<float>(expected);
  const double ulp =
      static_cast<double>(std::nextafter(nearest, std::numeric_limits<float>::infinity())) -
      nearest;
  return std::abs(result - expected) / ulp;
}

}  // namespace fusedconv::test

#endif
