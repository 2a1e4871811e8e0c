// SPDX-License-Identifier: Apache-2.0
#include "piece_files.hpp"

#include "timer.hpp"

namespace fusedconv::app {

namespace {

/// Rows of a split image are a fraction of it.
Amount written_amount(const Shape& shape, const Piece& piece, const ElementBytes& element_bytes) {
  return {
      static_cast<double>(piece.images * piece.rows) / static_cast<double>(shape.output_height()),
      output_elements(shape, piece) * element_bytes.output};
}

}  // namespace

PieceFiles::PieceFiles(const Communicator& communicator, const Shape& shape,
                       const ElementBytes& element_bytes, const std::vector<FilePlan>& files,
                       const std::vector<Piece>& pieces, const OutputForm& form,
                       RankProgress& progress)
    : communicator_(communicator),
      shape_(shape),
      element_bytes_(element_bytes),
      files_(files),
      form_(form),
      progress_(progress),
      interruption_(communicator),
      unwritten_(files.size()),
      finished_(files.size()) {
  for (const Piece& piece : pieces) {
    if (piece.is_written()) ++unwritten_[static_cast<std::size_t>(piece.file)];
  }
}

std::unique_ptr<JobFile> PieceFiles::make(std::int64_t file, int first_rank, int ranks) const {
  const FilePlan& plan = files_[static_cast<std::size_t>(file)];
  return std::make_unique<JobFile>(communicator_, first_rank, ranks,
                                   shape_.with_batch(plan.file.images), plan.file, plan.found,
                                   plan.fingerprint, form_);
}

void PieceFiles::open_shared() {
  // All ranks go through their files in the same order, and so none waits in a circle.
  for (std::size_t file = 0; file < files_.size(); ++file) {
    const FilePlan& plan = files_[file];
    const int behind = communicator_.rank() - plan.first_rank;
    if (plan.ranks < 2 || behind < 0 || behind >= plan.ranks) continue;
    const auto number = static_cast<std::int64_t>(file);
    open_[number] = make(number, plan.first_rank, plan.ranks);
    open_[number]->open();
  }
}

JobFile& PieceFiles::file_of(const Piece& piece) {
  std::unique_ptr<JobFile>& file = open_[piece.file];
  if (!file) {
    file = make(piece.file, communicator_.rank(), 1);
    file->open();
  }
  return *file;
}

void PieceFiles::read(const Piece& piece, float* input) {
  const Timer timer;
  file_of(piece).read(input_region(shape_, piece), input);
  if (interruption_.stop()) told_to_stop_ = true;
  read_seconds_ += timer.seconds();
  const std::int64_t bytes = input_elements(shape_, piece) * element_bytes_.input;
  read_bytes_ += bytes;
  progress_.add({.bytes = bytes});
}

void PieceFiles::write(const Piece& piece, const float* output) {
  const Timer timer;
  file_of(piece).write(output_region(piece), output);
  write_seconds_ += timer.seconds();
  written_bytes_ += output_elements(shape_, piece) * element_bytes_.output;
  file_of(piece).compare(output_region(piece), output);
}

void PieceFiles::completed(const Piece& piece) {
  const Timer timer;
  file_of(piece).enter(output_region(piece));
  progress_.add(written_amount(shape_, piece, element_bytes_));
  std::int64_t& unwritten = unwritten_[static_cast<std::size_t>(piece.file)];
  --unwritten;
  if (unwritten == 0 && file_of(piece).ranks().size() == 1) finish_file(piece.file);
  if (interruption_.stop()) told_to_stop_ = true;
  write_seconds_ += timer.seconds();
}

Amount amount_of(const std::vector<Piece>& pieces, const Shape& shape,
                 const ElementBytes& element_bytes) {
  Amount amount;
  for (const Piece& piece : pieces) {
    amount.bytes += input_elements(shape, piece) * element_bytes.input;
    if (piece.is_written()) amount += written_amount(shape, piece, element_bytes);
  }
  return amount;
}

void PieceFiles::finish_file(std::int64_t file) {
  const auto number = static_cast<std::size_t>(file);
  JobFile& open = *open_.at(file);
  finished_[number] = open.finish(unwritten_[number] == 0, [this] { return stop_requested(); });
  if (open.ranks().is_root() && open.deviation()) deviations_[file] = *open.deviation();
  open_.erase(file);
}

void PieceFiles::finish_without_pieces() {
  for (std::size_t file = 0; file < files_.size(); ++file) {
    if (files_[file].ranks > 0) continue;
    const auto number = static_cast<std::int64_t>(file);
    std::unique_ptr<JobFile>& job_file = open_[number] = make(number, 0, 1);
    if (files_[file].found.complete) {
      job_file->compare_complete();
      remove_unfinished(job_file->output());
      finished_[file] = true;
      if (job_file->deviation()) deviations_[number] = *job_file->deviation();
      open_.erase(number);
    } else {
      job_file->open();
      finish_file(number);
    }
  }
}

void PieceFiles::wait_for_all() {
  interruption_.wait_for_all([this] { progress_.add({}); });
}

int PieceFiles::finish() {
  while (!open_.empty()) finish_file(open_.begin()->first);
  if (communicator_.is_root()) finish_without_pieces();
  bool done = true;
  for (std::size_t file = 0; file < files_.size(); ++file) {
    const FilePlan& plan = files_[file];
    const int behind = communicator_.rank() - plan.first_rank;
    const bool mine = plan.ranks > 0 ? behind >= 0 && behind < plan.ranks : communicator_.is_root();
    done = done && (!mine || finished_[file]);
  }
  return interruption_.outcome(done);
}

bool PieceFiles::keep_what_is_complete() noexcept {
  bool kept = false;
  for (const bool finished : finished_) kept = kept || finished;
  for (const auto& [number, file] : open_) {
    // One that could not even be made has nothing to keep.
    if (file) kept = file->keep_what_is_complete() || kept;
  }
  return kept;
}

}  // namespace fusedconv::app
