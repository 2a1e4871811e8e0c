// SPDX-License-Identifier: Apache-2.0
#include "interruption.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <thread>

namespace fusedconv::app {

namespace {

// All that a signal handler may write.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t received = 0;

extern "C" void keep_in_mind(int signal) { received = signal; }

}  // namespace

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = keep_in_mind;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaction(signal, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

int received_signal() noexcept { return received; }

std::string signal_name(int signal) {
  switch (signal) {
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    case SIGUSR1:
      return "SIGUSR1";
    default:
      return "signal " + std::to_string(signal);
  }
}

Interruption::Interruption(const Communicator& communicator) {
  // Messages of its own, that nobody else receives.
  MPI_Comm_dup(communicator.get(), &messages_);
  const int rank = communicator.rank();
  if (rank > 0) neighbours_.push_back((rank - 1) / 2);
  for (const int child : {2 * rank + 1, 2 * rank + 2}) {
    if (child < communicator.size()) neighbours_.push_back(child);
  }
  for (const int neighbour : neighbours_) {
    MPI_Irecv(nullptr, 0, MPI_BYTE, neighbour, 0, messages_, &receives_.emplace_back());
  }
}

Interruption::~Interruption() { MPI_Comm_free(&messages_); }

bool Interruption::stop() {
  if (stopping_) return true;
  int index = MPI_UNDEFINED;
  int told = 0;
  if (!receives_.empty()) {
    MPI_Testany(static_cast<int>(receives_.size()), receives_.data(), &index, &told,
                MPI_STATUS_IGNORE);
  }
  stopping_ = received_signal() != 0 || (told != 0 && index != MPI_UNDEFINED);
  if (stopping_) tell();
  return stopping_;
}

void Interruption::tell() {
  if (!sends_.empty()) return;
  for (const int neighbour : neighbours_) {
    MPI_Isend(nullptr, 0, MPI_BYTE, neighbour, 0, messages_, &sends_.emplace_back());
  }
}

void Interruption::wait_for_all(const std::function<void()>& meanwhile) {
  MPI_Request everyone = MPI_REQUEST_NULL;
  MPI_Ibarrier(messages_, &everyone);
  for (int here = 0;;) {
    MPI_Test(&everyone, &here, MPI_STATUS_IGNORE);
    if (here != 0) break;
    stop();
    meanwhile();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // Every message has a receiver: who had nothing to tell does it now, when it means nothing more.
  tell();
  MPI_Waitall(static_cast<int>(sends_.size()), sends_.data(), MPI_STATUSES_IGNORE);
  MPI_Waitall(static_cast<int>(receives_.size()), receives_.data(), MPI_STATUSES_IGNORE);
}

int Interruption::outcome(bool done) const {
  const std::array<int, 2> mine{done ? 0 : 1, received_signal()};
  std::array<int, 2> all{};
  MPI_Allreduce(mine.data(), all.data(), 2, MPI_INT, MPI_MAX, messages_);
  return all[0] != 0 ? all[1] : 0;
}

}  // namespace fusedconv::app
