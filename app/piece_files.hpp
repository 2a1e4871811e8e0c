// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PIECE_FILES_HPP
#define FUSEDCONV_APP_PIECE_FILES_HPP

#include <atomic>
#include <cstdint>
#include <fusedconv/shape.hpp>
#include <map>
#include <memory>
#include <vector>

#include "communicator.hpp"
#include "interruption.hpp"
#include "job_file.hpp"
#include "partition.hpp"
#include "pipeline.hpp"
#include "rank_progress.hpp"

namespace fusedconv::app {

/// What a job does with one of its files.
struct FilePlan {
  InputFile file;
  FoundOutput found;
  Fingerprint fingerprint;
  int first_rank = 0;  ///< of those that have pieces of it
  int ranks = 0;       ///< that have pieces of it, consecutive ones; 0 where nothing is missing
};

/// Of an element as files store it.
struct ElementBytes {
  std::int64_t input = 0;
  std::int64_t output = 0;
};

/// The files of a job as its pipeline sees them: pieces come from an input's dataset and go to an
/// output's, and are compared with a reference's if there is one.
///
/// A file that one rank has to itself is opened when its first piece is read and whole when its
/// last one is written. One that ranks share is open from the beginning to the end of the job: a
/// rank has two of them at most, or all of the job's where their images are split.
class PieceFiles final : public PieceStore {
 public:
  /// \param pieces of this rank
  PieceFiles(const Communicator& communicator, const Shape& shape,
             const ElementBytes& element_bytes, const std::vector<FilePlan>& files,
             const std::vector<Piece>& pieces, const OutputForm& form, RankProgress& progress);

  /// Opens what ranks share. Called by all ranks.
  void open_shared();

  void read(const Piece& piece, float* input) override;
  void write(const Piece& piece, const float* output) override;
  void completed(const Piece& piece) override;
  bool stop_requested() const override { return told_to_stop_ || received_signal() != 0; }

  /// Returns when all ranks have stopped or are done, as this one: a rank that waited in a file's
  /// close could not pass on that all are to stop. Called by all ranks.
  void wait_for_all();
  /// Finishes what is whole and closes the rest. Called by all ranks after wait_for_all().
  /// \return 0 if all outputs are whole, else the signal for which ranks stopped
  int finish();
  /// After a failure on this rank: see ResumableOutput::keep_what_is_complete().
  /// \return whether anything can be gone on with
  bool keep_what_is_complete() noexcept;

  double read_seconds() const { return read_seconds_; }
  double write_seconds() const { return write_seconds_; }
  std::int64_t read_bytes() const { return read_bytes_; }
  std::int64_t written_bytes() const { return written_bytes_; }
  /// What was found in the files whose first rank this is.
  const std::map<std::int64_t, Deviation>& deviations() const { return deviations_; }

 private:
  JobFile& file_of(const Piece& piece);
  std::unique_ptr<JobFile> make(std::int64_t file, int first_rank, int ranks) const;
  void finish_file(std::int64_t file);
  void finish_without_pieces();

  const Communicator& communicator_;
  Shape shape_;
  ElementBytes element_bytes_;
  const std::vector<FilePlan>& files_;
  OutputForm form_;
  RankProgress& progress_;
  Interruption interruption_;
  std::atomic<bool> told_to_stop_ = false;
  std::vector<std::int64_t> unwritten_;  // pieces of this rank, of each file
  std::vector<bool> finished_;
  std::map<std::int64_t, std::unique_ptr<JobFile>> open_;
  std::map<std::int64_t, Deviation> deviations_;
  double read_seconds_ = 0;
  double write_seconds_ = 0;
  std::int64_t read_bytes_ = 0;
  std::int64_t written_bytes_ = 0;
};

/// What reading and writing pieces amounts to.
/// \param input_element_bytes of an element of the input as it is stored
Amount amount_of(const std::vector<Piece>& pieces, const Shape& shape,
                 const ElementBytes& element_bytes);

}  // namespace fusedconv::app

#endif
