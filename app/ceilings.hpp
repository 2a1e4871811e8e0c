// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_CEILINGS_HPP
#define FUSEDCONV_APP_CEILINGS_HPP

#include <string>

namespace fusedconv::app {

/// What the processor of a backend can do at most.
struct Ceilings {
  double fma_gflops = 0;  ///< float32 multiply-adds on registers, each counted as two operations
  double copy_gbs = 0;    ///< 10^9 bytes per second, read and written, of a copy in memory
};

/// Measures on all threads of a host backend, or the whole GPU, and takes the best of several.
/// \param backend a name in backend_names()
Ceilings measure_ceilings(const std::string& backend);

/// The larger of each.
Ceilings best_of(const Ceilings& a, const Ceilings& b);

}  // namespace fusedconv::app

#endif
