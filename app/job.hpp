// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_JOB_HPP
#define FUSEDCONV_APP_JOB_HPP

#include <fusedconv/options.hpp>
#include <optional>
#include <vector>

#include "command_line.hpp"
#include "communicator.hpp"
#include "hdf5/layer_file.hpp"
#include "hdf5/output_file.hpp"
#include "memory.hpp"
#include "piece_files.hpp"
#include "rank_progress.hpp"
#include "report.hpp"

namespace fusedconv::app {

/// One input file to one output file. Needs Kokkos and MPI initialised.
///
/// Closing a file that several ranks have open is collective: a job whose run() has thrown on one
/// rank must not be destroyed before the other ranks are told (MPI_Abort), or it waits for them.
class Job {
 public:
  /// Decides who computes what, in which pieces. Called by all ranks.
  /// \throws InvalidArgument if an option does not go with the layer
  /// \throws OutOfMemory if the smallest piece does not fit, on all ranks alike
  Job(const CommandLine& line, const hdf5::LayerFile& layer, const Communicator& communicator);

  /// Reads, computes, writes, and compares if asked to. Called by all ranks.
  void run();
  /// After run() has thrown: removes the unfinished output, if it can be.
  void discard_output() noexcept { output_.discard(); }

  /// Complete on rank 0 alone.
  const JobReport& report() const { return report_; }

 private:
  void plan();
  LayerMemory layer_memory() const;
  MemoryLimit memory_limit();
  void compute(std::vector<Piece> pieces);
  void finish_output();

  const CommandLine& line_;
  const hdf5::LayerFile& layer_;
  const Communicator& communicator_;
  Options options_;
  RankReport rank_;
  JobReport report_;
  PiecePlan plan_;
  hdf5::OutputFile output_;
  std::optional<RankProgress> progress_;
  std::optional<PieceFiles> files_;
};

}  // namespace fusedconv::app

#endif
