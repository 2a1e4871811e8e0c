// SPDX-License-Identifier: Apache-2.0
#include "piece_files.hpp"

#include "timer.hpp"

namespace fusedconv::app {

namespace {

std::int64_t written_bytes_of(const Shape& shape, const Piece& piece) {
  return output_elements(shape, piece) * static_cast<std::int64_t>(sizeof(float));
}

/// Rows of a split image are a fraction of it.
double images_of(const Shape& shape, const Piece& piece) {
  return static_cast<double>(piece.images * piece.rows) /
         static_cast<double>(shape.output_height());
}

}  // namespace

PieceFiles::PieceFiles(const Communicator& communicator, const Shape& shape,
                       std::int64_t input_element_bytes, const std::string& input,
                       const std::string& reference, hdf5::OutputFile& output,
                       RankProgress& progress)
    : shape_(shape),
      input_element_bytes_(input_element_bytes),
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
  const std::int64_t bytes = input_elements(shape_, piece) * input_element_bytes_;
  read_bytes_ += bytes;
  progress_.add({.bytes = bytes});
}

void PieceFiles::write(const Piece& piece, const float* output) {
  const Timer timer;
  output_.write(output_region(piece), output);
  write_seconds_ += timer.seconds();
  written_bytes_ += written_bytes_of(shape_, piece);
  if (verification_) verification_->compare(output_region(piece), output);
}

void PieceFiles::completed(const Piece& piece) {
  progress_.add({images_of(shape_, piece), written_bytes_of(shape_, piece)});
}

Amount amount_of(const std::vector<Piece>& pieces, const Shape& shape,
                 std::int64_t input_element_bytes) {
  Amount amount;
  for (const Piece& piece : pieces) {
    amount.bytes += input_elements(shape, piece) * input_element_bytes;
    if (!piece.is_written()) continue;
    amount += {images_of(shape, piece), written_bytes_of(shape, piece)};
  }
  return amount;
}

std::optional<Deviation> PieceFiles::deviation() const {
  if (!verification_) return std::nullopt;
  return verification_->deviation();
}

}  // namespace fusedconv::app
