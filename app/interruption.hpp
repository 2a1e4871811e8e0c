// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_INTERRUPTION_HPP
#define FUSEDCONV_APP_INTERRUPTION_HPP

#include <mpi.h>

#include <functional>
#include <string>
#include <vector>

#include "communicator.hpp"

namespace fusedconv::app {

/// From now on SIGTERM, SIGINT and SIGUSR1, which schedulers send before they kill, are kept in
/// mind for received_signal(); a second one of the same kind ends the process in the default way.
/// Writing past a file-size limit becomes an error instead of SIGXFSZ.
void handle_signals();

/// The signal that this process has received, or 0.
int received_signal() noexcept;

/// "SIGTERM"
std::string signal_name(int signal);

/// Whether ranks that compute together should stop, for a signal need not reach all of them.
///
/// Nobody waits for anybody while there is work: a rank that is to stop tells its neighbours in a
/// binary tree, once, and each that is told does the same. Constructor and conclude() are
/// collective.
class Interruption {
 public:
  explicit Interruption(const Communicator& communicator);
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  /// Whether this rank is to begin no more: asked between pieces, by the thread that calls MPI.
  bool stop();

  /// Waits for all ranks, each of which has stopped or is done, and passes on meanwhile what the
  /// others tell.
  /// \param meanwhile called every millisecond
  void wait_for_all(const std::function<void()>& meanwhile);

  /// Called by all ranks after wait_for_all().
  /// \param done whether this rank left nothing undone
  /// \return the same on all ranks: 0 if all are done, else the signal for which some stopped
  int outcome(bool done) const;

 private:
  void tell();

  MPI_Comm messages_ = MPI_COMM_NULL;
  std::vector<int> neighbours_;
  std::vector<MPI_Request> sends_;
  std::vector<MPI_Request> receives_;
  bool stopping_ = false;
};

}  // namespace fusedconv::app

#endif
