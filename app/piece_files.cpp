// SPDX-License-Identifier: Apache-2.0
#include "piece_files.hpp"

#include "timer.hpp"

namespace fusedconv::app {

PieceFiles::PieceFiles(const Communicator& communicator, const Shape& shape,
                       const std::string& input, const std::string& reference,
                       hdf5::OutputFile& output, Progress& progress)
    : shape_(shape),
      input_file_(hdf5::File::open_read_only(input, hdf5::access_by(communicator).id())),
      input_(hdf5::naming_file(input, [&] { return hdf5::Dataset::open(input_file_, "input"); })),
      output_(output),
      progress_(progress) {
  if (!reference.empty()) verification_.emplace(communicator, reference);
}

void PieceFiles::read(const Piece& piece, float* input) {
  const Timer timer;
  hdf5::naming_file(input_file_.name(),
                    [&] { hdf5::read_region(input_, input_region(shape_, piece), input); });
  read_seconds_ += timer.seconds();
}

void PieceFiles::write(const Piece& piece, const float* output) {
  const Timer timer;
  output_.write(output_region(piece), output);
  write_seconds_ += timer.seconds();
  if (verification_) verification_->compare(output_region(piece), output);
}

void PieceFiles::completed(const Piece& piece) { progress_.add(piece.images); }

std::optional<Deviation> PieceFiles::deviation() const {
  if (!verification_) return std::nullopt;
  return verification_->deviation();
}

}  // namespace fusedconv::app
