// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_MOUNT_OPTIONS_HPP
#define FUSEDCONV_APP_MOUNT_OPTIONS_HPP

#include <istream>
#include <string>

namespace fusedconv::app {

/// The options of a file system itself, as "rw,size=8g,huge=advise".
/// \param mountinfo what /proc/self/mountinfo says, see proc_pid_mountinfo(5)
/// \param device    "MAJOR:MINOR" of what is mounted
/// \return nothing where it is not mounted
std::string mount_options(std::istream& mountinfo, const std::string& device);

/// Whether a tmpfs that is mounted with such options has huge pages for those who ask.
bool has_huge_pages(const std::string& options);

}  // namespace fusedconv::app

#endif
