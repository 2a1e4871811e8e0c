// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_RANK_PROGRESS_HPP
#define FUSEDCONV_APP_RANK_PROGRESS_HPP

#include <mpi.h>

#include <array>
#include <vector>

#include "communicator.hpp"
#include "progress.hpp"
#include "timer.hpp"

namespace fusedconv::app {

/// The progress of all ranks, told by rank 0. The others send it what they have done, at most five
/// times a second, and wait for nothing: where a message has not left, the next one is sent later.
/// All its MPI calls are made by the thread that calls add().
class RankProgress {
 public:
  /// Called by all ranks. \param total of this rank \param display of rank 0
  RankProgress(const Communicator& communicator, const Amount& total, ProgressDisplay display);
  RankProgress(const RankProgress&) = delete;
  RankProgress& operator=(const RankProgress&) = delete;
  ~RankProgress() = default;

  /// What this rank has done since the last call.
  void add(const Amount& done);
  /// Called by all ranks when they have nothing more to add; on rank 0 it returns when all have,
  /// and tells their progress until then.
  void finish();

 private:
  using Message = std::array<double, 2>;  // images and bytes, of a rank from the beginning

  void send();
  void receive(const MPI_Status& status);
  void update();

  const Communicator& communicator_;
  Progress progress_;
  Amount own_;
  std::vector<Amount> others_;  // on rank 0
  Message message_{};
  MPI_Request request_ = MPI_REQUEST_NULL;
  Timer timer_;
  double sent_ = 0;
};

}  // namespace fusedconv::app

#endif
