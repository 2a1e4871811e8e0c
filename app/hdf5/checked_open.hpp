// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_CHECKED_OPEN_HPP
#define FUSEDCONV_APP_HDF5_CHECKED_OPEN_HPP

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "handle.hpp"
#include "permissions.hpp"

namespace fusedconv::app::hdf5 {

/// A file that cannot be computed with: what() is "FILE: OBJECT: expected EXPECTED, found FOUND",
/// one line whatever the file says: what is not printable becomes '?', and long texts are cut.
class InvalidFile : public std::runtime_error {
 public:
  InvalidFile(const std::string& file, const std::string& object, const std::string& expected,
              const std::string& found);
  /// What another one said.
  explicit InvalidFile(const std::string& sentence) : std::runtime_error(sentence) {}
  /// What HDF5 could not do with the file.
  InvalidFile(const std::string& file, const Error& error);
};

/// What is expected of data where other files are not allowed, for messages.
inline constexpr const char* data_in_this_file = "data in this file, or --allow other-files";

/// Opening a pipe would wait for its writer, so what is not a regular file is not opened at all.
/// \param expected what the file is to be, for the message
/// \throws InvalidFile
void require_readable(const std::string& path, const std::string& expected);

/// Throws what HDF5 could not do with a file: as InvalidFile, but where the system failed to read
/// it, which a file is not to blame for, as Error.
[[noreturn]] void refuse(const std::string& file, const Error& error);

/// Opens a file after having looked at what it is, by one process without MPI-IO.
/// \throws InvalidFile if it is missing, unreadable, not a regular file, not HDF5 or truncated
/// \throws Error if the system fails to read it
File open_checked_file(const std::string& path);

/// The name of the file in which an object lies, which an external link makes another one.
std::string file_name(const Handle& object);

/// Whether the root group has a link of this name.
bool has_object(const File& file, const std::string& name);

/// Opens a dataset of the root group whose elements are integers or floating-point numbers.
/// Without permission no other file is opened.
/// \throws InvalidFile if it is missing, is no dataset, is not numeric, or needs what is not
/// allowed
Dataset open_checked_dataset(const File& file, const std::string& name,
                             const Permissions& permissions = {});

/// "(32, 8, 3, 3)"
std::string extents_text(const std::vector<std::int64_t>& extents);

/// "a string", "integers", ...: what a type's elements are, for messages.
std::string type_text(const Datatype& type);

/// Integers or floating-point numbers, of 16 bytes or less as those of machines, and of no bits
/// beyond these.
bool is_numeric(const Datatype& type);

}  // namespace fusedconv::app::hdf5

#endif
