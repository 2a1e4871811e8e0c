// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PIECE_FILES_HPP
#define FUSEDCONV_APP_PIECE_FILES_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <optional>
#include <string>
#include <vector>

#include "communicator.hpp"
#include "hdf5/handle.hpp"
#include "hdf5/output_file.hpp"
#include "pipeline.hpp"
#include "rank_progress.hpp"
#include "verify.hpp"

namespace fusedconv::app {

/// The files of a job as its pipeline sees them: pieces come from the input's dataset and go to the
/// output's, and are compared with the reference's if there is one.
class PieceFiles final : public PieceStore {
 public:
  /// Opens the input, and the reference if its name is not empty. Called by all ranks.
  PieceFiles(const Communicator& communicator, const Shape& shape, std::int64_t input_element_bytes,
             const std::string& input, const std::string& reference, hdf5::OutputFile& output,
             RankProgress& progress);

  void read(const Piece& piece, float* input) override;
  void write(const Piece& piece, const float* output) override;
  void completed(const Piece& piece) override;
  bool stop_requested() const override { return false; }

  double read_seconds() const { return read_seconds_; }
  double write_seconds() const { return write_seconds_; }
  std::int64_t read_bytes() const { return read_bytes_; }
  std::int64_t written_bytes() const { return written_bytes_; }
  /// What all ranks have found, if there is a reference.
  std::optional<Deviation> deviation() const;

 private:
  Shape shape_;
  std::int64_t input_element_bytes_;
  hdf5::File input_file_;
  hdf5::Dataset input_;
  hdf5::OutputFile& output_;
  RankProgress& progress_;
  std::optional<Verification> verification_;
  double read_seconds_ = 0;
  double write_seconds_ = 0;
  std::int64_t read_bytes_ = 0;
  std::int64_t written_bytes_ = 0;
};

/// What reading and writing pieces amounts to.
/// \param input_element_bytes of an element of the input as it is stored
Amount amount_of(const std::vector<Piece>& pieces, const Shape& shape,
                 std::int64_t input_element_bytes);

}  // namespace fusedconv::app

#endif
