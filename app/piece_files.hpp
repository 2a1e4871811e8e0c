// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PIECE_FILES_HPP
#define FUSEDCONV_APP_PIECE_FILES_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <optional>
#include <string>

#include "communicator.hpp"
#include "hdf5/handle.hpp"
#include "hdf5/output_file.hpp"
#include "pipeline.hpp"
#include "progress.hpp"
#include "verify.hpp"

namespace fusedconv::app {

/// The files of a job as its pipeline sees them: pieces come from the input's dataset and go to the
/// output's, and are compared with the reference's if there is one.
class PieceFiles final : public PieceStore {
 public:
  /// Opens the input, and the reference if its name is not empty. Called by all ranks.
  PieceFiles(const Communicator& communicator, const Shape& shape, const std::string& input,
             const std::string& reference, hdf5::OutputFile& output, Progress& progress);

  void read(const Piece& piece, float* input) override;
  void write(const Piece& piece, const float* output) override;
  void completed(const Piece& piece) override;
  bool stop_requested() const override { return false; }

  double read_seconds() const { return read_seconds_; }
  double write_seconds() const { return write_seconds_; }
  /// What all ranks have found, if there is a reference.
  std::optional<Deviation> deviation() const;

 private:
  Shape shape_;
  hdf5::File input_file_;
  hdf5::Dataset input_;
  hdf5::OutputFile& output_;
  Progress& progress_;
  std::optional<Verification> verification_;
  double read_seconds_ = 0;
  double write_seconds_ = 0;
};

}  // namespace fusedconv::app

#endif
