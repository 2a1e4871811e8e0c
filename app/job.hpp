// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_JOB_HPP
#define FUSEDCONV_APP_JOB_HPP

#include <fusedconv/options.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "communicator.hpp"
#include "computation.hpp"
#include "hdf5/layer_file.hpp"
#include "input.hpp"
#include "memory.hpp"
#include "partition.hpp"
#include "piece_files.hpp"
#include "rank_progress.hpp"
#include "report.hpp"

namespace fusedconv::app {

/// An output would be lost, or is not what is to be gone on with: what() says why.
class OutputRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Input files of one layer to as many output files. Needs Kokkos and MPI initialised.
///
/// Closing a file that several ranks have open is collective: a job whose run() has thrown on one
/// rank must not be destroyed before the other ranks are told (MPI_Abort), or it waits for them.
class Job {
 public:
  /// Decides who computes what, in which pieces. Called by all ranks.
  /// \throws InvalidArgument if an option does not go with the layer
  /// \throws OutOfMemory if the smallest piece does not fit, on all ranks alike
  /// \throws OutputRefused as look_for_output(), on all ranks alike
  Job(const CommandLine& line, const JobInput& input, const Communicator& communicator);

  /// Whether ranks share the rows of every image.
  bool splits_images() const { return plan_.cut.by_rows; }

  /// Reads, computes, writes, and compares if asked to. Called by all ranks.
  /// \return 0, or the signal that has interrupted it
  int run();
  /// After run() has thrown: removes the unfinished outputs of this rank in which nothing is
  /// complete.
  /// \return whether anything can be gone on with
  bool keep_what_is_complete() noexcept { return files_ && files_->keep_what_is_complete(); }
  /// Images of all files that are complete on disk, before or after run(). Called by one rank.
  std::int64_t complete_images() const;
  /// What there was before of outputs, in words; nothing where nothing was asked for.
  std::string resumption_text() const;

  /// Complete on rank 0 alone.
  const JobReport& report() const { return report_; }

 private:
  void look_for_outputs();
  FoundOutput look_for_output(const FilePlan& file) const;
  Fingerprint fingerprint(const InputFile& file) const;
  void share_files();
  void plan();
  LayerMemory layer_memory() const;
  MemoryLimit memory_limit();
  bool is_complete(const Piece& piece) const;
  Writing writing() const;
  OutputForm output_form();
  void compute(std::vector<Piece> pieces);
  void report_files();

  const CommandLine& line_;
  const hdf5::LayerFile& layer_;
  const Communicator& communicator_;
  Options options_;
  RankReport rank_;
  JobReport report_;
  std::vector<FilePlan> file_plans_;
  std::vector<FileImages> work_;
  PiecePlan plan_;
  std::optional<RankProgress> progress_;
  std::optional<PieceFiles> files_;
  // Not destroyed where run() throws: what a lost GPU computed with cannot be freed.
  std::unique_ptr<Computation> computation_;
};

}  // namespace fusedconv::app

#endif
