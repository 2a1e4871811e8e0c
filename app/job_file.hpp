// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_JOB_FILE_HPP
#define FUSEDCONV_APP_JOB_FILE_HPP

#include <functional>
#include <fusedconv/shape.hpp>
#include <optional>
#include <vector>

#include "communicator.hpp"
#include "hdf5/compression.hpp"
#include "hdf5/handle.hpp"
#include "hdf5/images.hpp"
#include "input.hpp"
#include "resumable_output.hpp"
#include "verify.hpp"

namespace fusedconv::app {

/// How the outputs of a job are written.
struct OutputForm {
  hdf5::Storage storage;
  hdf5::Compression compression;
  hdf5::Hints hints;
  Writing writing;
  hdf5::Provenance made;  ///< less what differs from file to file
};

/// One input of a job with its output and its reference, open on the ranks that have images of it.
class JobFile {
 public:
  /// Opens and creates nothing.
  /// \param ranks those that use the file, consecutive ones
  /// \param shape `batch` is the number of images of this file
  JobFile(const Communicator& of, int first_rank, int ranks, const Shape& shape,
          const InputFile& file, const FoundOutput& found, const Fingerprint& fingerprint,
          const OutputForm& form);

  /// Called by all of the file's ranks.
  /// \throws FileChanged if the input is no longer what it was when it was checked
  void open();
  /// Reads a region of the input to contiguous memory.
  /// \throws FileChanged if the input is no longer what it was when it was checked
  void read(const hdf5::Region& region, float* values);
  /// Writes a region of the output from contiguous memory.
  void write(const hdf5::Region& region, const float* values);
  /// Compares a region of the output, if there is a reference.
  void compare(const hdf5::Region& region, const float* values);
  /// Enters a region of the output, which has been written, into the record.
  void enter(const hdf5::Region& region) { output_.enter(region); }
  /// Closes input and output, and gives the output its name if everything is there. Called by all
  /// of the file's ranks.
  /// \param done whether this rank has written all that it had to
  /// \param stop whether compression, which may take long, is to stop on this rank
  /// \return whether the output is whole, on all ranks alike
  bool finish(bool done, const std::function<bool()>& stop);
  /// For an output that was whole before: compares it if there is a reference.
  void compare_complete();
  /// After a failure on this rank: see ResumableOutput::keep_what_is_complete().
  bool keep_what_is_complete() noexcept { return output_.keep_what_is_complete(); }

  const Communicator& ranks() const { return ranks_; }
  const std::string& output() const { return output_.name(); }
  /// After finish() or compare_complete(), if there is a reference.
  const std::optional<Deviation>& deviation() const { return deviation_; }

 private:
  void compare_earlier(const std::string& path);

  Communicator ranks_;
  Shape shape_;
  InputFile file_;
  FoundOutput found_;
  OutputForm form_;
  ResumableOutput output_;
  std::optional<hdf5::File> input_file_;
  std::optional<hdf5::Dataset> input_;
  std::optional<Verification> verification_;
  std::optional<Deviation> deviation_;
};

}  // namespace fusedconv::app

#endif
