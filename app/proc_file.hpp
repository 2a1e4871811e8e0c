// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PROC_FILE_HPP
#define FUSEDCONV_APP_PROC_FILE_HPP

#include <filesystem>
#include <string>

namespace fusedconv::app {

/// The value of the first line "key : value" of a file of /proc, or nothing.
std::string value_in(const std::filesystem::path& path, const std::string& key);

}  // namespace fusedconv::app

#endif
