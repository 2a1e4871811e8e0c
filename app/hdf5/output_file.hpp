// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_OUTPUT_FILE_HPP
#define FUSEDCONV_APP_HDF5_OUTPUT_FILE_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <optional>
#include <string>
#include <vector>

#include "element_type.hpp"
#include "file_access.hpp"
#include "handle.hpp"
#include "images.hpp"

namespace fusedconv::app::hdf5 {

/// How an output was made, as attributes of its dataset tell.
struct Provenance {
  std::string backend;
  std::string device;  ///< the processors of all ranks, each model once
  std::string activation;
  std::string precision;
  std::string algorithm;
  std::int64_t ranks = 1;
  std::string input_file;
  std::int64_t input_file_size = 0;  ///< bytes
  std::string fingerprint;           ///< a hash of what the bits depend on
  std::string start_time;            ///< ISO 8601
  std::string end_time;              ///< ISO 8601
};

/// How an output is stored.
struct Storage {
  ElementType type = ElementType::float32;
  std::int64_t alignment = 1;  ///< bytes at a multiple of which the dataset begins
  bool checksums = false;      ///< whether those of rows (row_checksums.hpp) are stored beside it
};

/// NAME.part
std::string unfinished_name(const std::string& name);

/// (N, Cout, Hout, Wout)
std::vector<std::int64_t> output_extents(const Shape& shape);

/// Contiguous, its space allocated at once and never filled.
PropertyList contiguous_layout();

/// Creates the dataset `output` with all attributes that it will have.
Dataset create_output(const File& file, const Datatype& type,
                      const std::vector<std::int64_t>& extents, const PropertyList& creation);

/// Creates a file with the dataset `output` and that of its checksums if there are to be some, both
/// of contiguous_layout(), and with all attributes that it will have: what the file says of itself
/// is on disk then, and nothing of it but the values of attributes is ever written again. Called by
/// one rank. \return the byte at which the dataset begins
std::int64_t create_unfinished(const std::string& path, const Shape& shape, const Storage& storage,
                               const Hints& hints);

/// Checks that a file is what create_unfinished() makes. Called by one rank.
/// \return the byte at which the dataset begins
/// \throws InvalidFile
std::int64_t check_unfinished(const std::string& path, const Shape& shape, const Storage& storage);

/// Writes the values of the attributes, at last `complete` = 1, when all rows have been written and
/// no rank has the file open. Called by one rank.
void complete_unfinished(const std::string& path, const Provenance& provenance);

/// Whether complete_unfinished() was the last to write to an output.
bool is_complete(const Dataset& output);

/// Checks that checksums of an output of these extents (N, C, H, W) are what they ought to be.
/// \throws InvalidFile
void require_checksums(const File& file, const Dataset& checksums,
                       const std::vector<std::int64_t>& extents);

/// The attribute `fingerprint` of an output that is complete; nothing where there is no such file.
std::string fingerprint_of_complete(const std::string& path);

/// An unfinished output that is open for writing. Ranks open and close it together, each writes for
/// itself.
class OutputFile {
 public:
  OutputFile(const std::string& path, const Storage& storage, hid_t access);

  /// Writes a region, with its checksums if there are to be some, from contiguous memory. It has
  /// gone to the operating system on return.
  void write(const Region& region, const float* values);
  /// Of a region that was written without HDF5: its checksums, if there are to be some.
  void write_checksums_alone(const Region& region, const float* values);
  /// Byte of the file at which the dataset begins.
  std::int64_t address() const { return dataset_.address(); }
  void close();

 private:
  void store(const Region& region, const float* values, bool with_data);
  void convert(const float* values, std::int64_t count);

  File file_;
  Dataset dataset_;
  std::optional<Dataset> checksums_;
  ElementType type_;
  Datatype stored_type_;
  std::vector<std::uint16_t> converted_;
};

}  // namespace fusedconv::app::hdf5

#endif
