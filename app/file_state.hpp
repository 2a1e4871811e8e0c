// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_FILE_STATE_HPP
#define FUSEDCONV_APP_FILE_STATE_HPP

#include <cstdint>
#include <stdexcept>
#include <string>

namespace fusedconv::app {

/// By what a file is known to be the same as before.
struct FileState {
  std::int64_t bytes = 0;
  std::int64_t modified = 0;  ///< nanoseconds since 1970

  friend bool operator==(const FileState&, const FileState&) = default;
};

/// \throws std::system_error naming the file
FileState file_state(const std::string& path);

/// "5120 bytes modified at 2026-01-01T00:00:00.000000000Z"
std::string to_string(const FileState& state);

/// A file was written to while it was read.
class FileChanged : public std::runtime_error {
 public:
  FileChanged(const std::string& path, const FileState& before, const FileState& now);
};

/// HDF5 reads zeros from behind the end of a file: what was read counts only where the file is
/// afterwards what it was before.
/// \throws FileChanged
void require_unchanged(const std::string& path, const FileState& before);

}  // namespace fusedconv::app

#endif
