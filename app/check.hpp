// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_CHECK_HPP
#define FUSEDCONV_APP_CHECK_HPP

#include <cstdint>
#include <string>

#include "communicator.hpp"
#include "hdf5/permissions.hpp"

namespace fusedconv::app {

/// What the checksums of an output say.
struct CheckedOutput {
  std::int64_t images = 0;
  std::int64_t wrong_images = 0;
  std::int64_t wrong_rows = 0;
  std::string first;  ///< the first wrong row in words, on rank 0
};

/// Reads an output and compares its rows with their checksums. Called by all ranks, which share the
/// images.
/// \throws hdf5::InvalidFile on all ranks alike, if it is no complete output with checksums
/// \throws hdf5::Error on a rank that cannot read
CheckedOutput check_output(const std::string& path, const hdf5::Permissions& permissions,
                           const Communicator& communicator);

/// One sentence: what is right, or what is wrong.
std::string to_string(const CheckedOutput& checked, const std::string& path);

}  // namespace fusedconv::app

#endif
