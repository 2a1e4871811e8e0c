// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_OUTPUT_FILE_HPP
#define FUSEDCONV_APP_HDF5_OUTPUT_FILE_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <optional>
#include <string>

#include "handle.hpp"
#include "images.hpp"

namespace fusedconv::app {
class Communicator;
}

namespace fusedconv::app::hdf5 {

/// How an output was made, as attributes of its dataset tell.
struct Provenance {
  std::string backend;
  std::string device;  ///< the processors of all ranks, each model once
  std::string precision;
  std::string algorithm;
  std::int64_t ranks = 1;
  std::string input_file;
  std::int64_t input_file_size = 0;  ///< bytes
  std::string start_time;            ///< ISO 8601
};

/// Access properties with which all ranks open one file: MPI-IO where there are several.
PropertyList access_by(const Communicator& communicator);

/// The dataset `output` in a file that is called NAME.part until it is whole. All ranks call
/// everything but write() together.
class OutputFile {
 public:
  OutputFile(const Communicator& communicator, const std::string& name);

  /// Creates the file and its dataset (N, Cout, Hout, Wout), float32, contiguous, its space
  /// allocated at once and never filled.
  void create(const Shape& shape);
  /// Writes a region, from memory that is contiguous.
  void write(const Region& region, const float* values);
  /// Writes the attributes, at last `complete` = 1, closes the file and gives it its name.
  void finish(const Provenance& provenance, const std::string& end_time);
  /// Removes what is unfinished, if it can be: for a rank that fails, by itself.
  void discard() noexcept;

  const std::string& name() const { return name_; }
  const std::string& unfinished_name() const { return unfinished_name_; }

 private:
  void create_dataset(const Shape& shape);
  void complete(const Provenance& provenance, const std::string& end_time);

  const Communicator& communicator_;
  std::string name_;
  std::string unfinished_name_;
  std::optional<File> file_;
  std::optional<Dataset> dataset_;
};

/// NAME.part
std::string unfinished_name(const std::string& name);

}  // namespace fusedconv::app::hdf5

#endif
