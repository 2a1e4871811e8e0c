// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_CHECKED_OPEN_HPP
#define FUSEDCONV_APP_HDF5_CHECKED_OPEN_HPP

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "handle.hpp"

namespace fusedconv::app::hdf5 {

/// A file that cannot be computed with: what() is "FILE: OBJECT: expected EXPECTED, found FOUND".
class InvalidFile : public std::runtime_error {
 public:
  InvalidFile(const std::string& file, const std::string& object, const std::string& expected,
              const std::string& found)
      : std::runtime_error(file + ": " + object + ": expected " + expected + ", found " + found) {}
  /// What HDF5 could not do with the file.
  InvalidFile(const std::string& file, const Error& error)
      : std::runtime_error(error.in_file(file).what()) {}
};

/// Throws what HDF5 could not do with a file: as InvalidFile, but where the system failed to read
/// it, which a file is not to blame for, as Error.
[[noreturn]] void refuse(const std::string& file, const Error& error);

/// Opens a file after having looked at what it is, by one process without MPI-IO.
/// \throws InvalidFile if it is missing, unreadable, not a regular file, not HDF5 or truncated
/// \throws Error if the system fails to read it
File open_checked_file(const std::string& path);

/// Whether the root group has a link of this name.
bool has_object(const File& file, const std::string& name);

/// Opens a dataset of the root group whose elements are integers or floating-point numbers.
/// \throws InvalidFile if it is missing, lies in another file, is no dataset, or is not numeric
Dataset open_checked_dataset(const File& file, const std::string& name);

/// Checks that all of a dataset's declared elements have their data in this file: extents alone
/// prove nothing, for HDF5 stores nothing of a dataset until it is written.
/// \throws InvalidFile if the dataset is virtual, external, never or partly written, or larger than
///         the file
void require_stored(const File& file, const Dataset& dataset);

/// "(32, 8, 3, 3)"
std::string extents_text(const std::vector<std::int64_t>& extents);

/// "a string", "integers", ...: what a type's elements are, for messages.
std::string type_text(const Datatype& type);

/// Integers or floating-point numbers.
bool is_numeric(const Datatype& type);

}  // namespace fusedconv::app::hdf5

#endif
