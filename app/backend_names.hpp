// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_BACKEND_NAMES_HPP
#define FUSEDCONV_APP_BACKEND_NAMES_HPP

#include <string>
#include <vector>

namespace fusedconv::app {

/// Names of the backends in this binary, devices first.
std::vector<std::string> backend_names();

/// The backend that a name stands for: "auto" is the first of backend_names(), any other name in it
/// is itself.
/// \throws InvalidArgument listing the backends there are
std::string resolve_backend(const std::string& name);

}  // namespace fusedconv::app

#endif
