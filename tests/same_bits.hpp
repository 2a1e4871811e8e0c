// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_SAME_BITS_HPP
#define FUSEDCONV_TESTS_SAME_BITS_HPP

#include <cstring>
#include <vector>

namespace fusedconv::test {

/// Unlike ==, tells 0 from -0 and finds NaN equal to itself.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

}  // namespace fusedconv::test

#endif
