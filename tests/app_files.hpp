// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_APP_FILES_HPP
#define FUSEDCONV_TESTS_APP_FILES_HPP

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "problem.hpp"

/// Files for the application, written with HDF5's own calls. Every function throws
/// std::runtime_error where HDF5 fails.
namespace fusedconv::test {

using Extents = std::vector<hsize_t>;

[[noreturn]] void throw_failure();

/// The status or identifier that an HDF5 call returned.
template <class Status>
Status require(Status status) {
  if (status < 0) throw_failure();
  return status;
}

/// Calls a function with the identifier of a file opened for reading and writing.
template <class Change>
void change_file(const std::string& path, Change&& change) {
  const hid_t file = require(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT));
  change(file);
  require(H5Fclose(file));
}

/// An input file with every object of the file format.
void write_input(const std::string& path, const Problem& problem);

/// The layer that bad inputs are made from: input (3, 4, 6, 5), conv.weight (8, 4, 3, 3), 4 groups.
Problem small_problem();

/// Images so small that the time of a job is that of its start.
Problem tiny_images(std::int64_t count, std::uint64_t seed);

/// How a dataset is to be made.
struct DatasetForm {
  Extents extents;
  hid_t type = H5T_IEEE_F32LE;  ///< as stored
  Extents chunk = {};           ///< none: contiguous
  bool fletcher32 = false;
};

/// Deletes the object of this name, if there is one.
void remove_object(const std::string& path, const std::string& name);

/// Puts a dataset in the place of what has its name.
/// \param values all elements; none to write nothing
void replace_dataset(const std::string& path, const std::string& name, const DatasetForm& form,
                     const std::vector<float>& values);

/// Puts an attribute of the root group in the place of what has its name.
/// \param extents none for a scalar
void replace_attribute(const std::string& path, const std::string& name, hid_t stored_type,
                       const Extents& extents, hid_t memory_type, const void* values);
void replace_attribute(const std::string& path, const std::string& name, std::int64_t value);
void replace_attribute(const std::string& path, const std::string& name, double value);
void replace_attribute(const std::string& path, const std::string& name, const std::string& value);
void remove_attribute(const std::string& path, const std::string& name);

/// All elements of a dataset as float.
std::vector<float> read_floats(const std::string& path, const std::string& name);

/// An attribute of the dataset `output`.
std::int64_t read_integer_attribute(const std::string& path, const std::string& name);
std::string read_string_attribute(const std::string& path, const std::string& name);

/// Where a dataset's data begins in its file: of the chunk with this index where it has chunks.
std::size_t address_of(const std::string& path, const std::string& name, hsize_t chunk = 0);

}  // namespace fusedconv::test

#endif
