// SPDX-License-Identifier: Apache-2.0
#include "rank_progress.hpp"

#include <utility>

namespace fusedconv::app {

namespace {

constexpr int under_way = 1;  // tags
constexpr int last = 2;
constexpr double seconds_between_messages = 0.2;

Amount sum_of_ranks(const Communicator& communicator, const Amount& amount) {
  return {communicator.sum(amount.images), communicator.sum(amount.bytes)};
}

}  // namespace

RankProgress::RankProgress(const Communicator& communicator, const Amount& total,
                           ProgressDisplay display)
    : communicator_(communicator),
      progress_(sum_of_ranks(communicator, total), std::move(display)),
      others_(communicator.is_root() ? static_cast<std::size_t>(communicator.size()) : 0) {}

void RankProgress::add(const Amount& done) {
  own_ += done;
  if (!communicator_.is_root()) {
    send();
  } else if (progress_.is_due()) {
    update();
  }
}

void RankProgress::send() {
  const double now = timer_.seconds();
  int has_left = 0;
  MPI_Test(&request_, &has_left, MPI_STATUS_IGNORE);
  if (has_left == 0 || now - sent_ < seconds_between_messages) return;
  sent_ = now;
  message_ = {own_.images, static_cast<double>(own_.bytes)};
  MPI_Isend(message_.data(), static_cast<int>(message_.size()), MPI_DOUBLE, 0, under_way,
            communicator_.get(), &request_);
}

void RankProgress::receive(const MPI_Status& status) {
  Message message{};
  MPI_Recv(message.data(), static_cast<int>(message.size()), MPI_DOUBLE, status.MPI_SOURCE,
           status.MPI_TAG, communicator_.get(), MPI_STATUS_IGNORE);
  others_[static_cast<std::size_t>(status.MPI_SOURCE)] = {message[0],
                                                          static_cast<std::int64_t>(message[1])};
}

void RankProgress::update() {
  for (int waiting = 1; waiting != 0;) {
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, under_way, communicator_.get(), &waiting, &status);
    if (waiting != 0) receive(status);
  }
  Amount all = own_;
  for (const Amount& other : others_) all += other;
  progress_.update(all);
}

void RankProgress::finish() {
  if (!communicator_.is_root()) {
    MPI_Wait(&request_, MPI_STATUS_IGNORE);
    message_ = {own_.images, static_cast<double>(own_.bytes)};
    MPI_Send(message_.data(), static_cast<int>(message_.size()), MPI_DOUBLE, 0, last,
             communicator_.get());
    return;
  }
  for (int missing = communicator_.size() - 1; missing > 0;) {
    MPI_Status status;
    MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, communicator_.get(), &status);
    receive(status);
    if (status.MPI_TAG == last) --missing;
    if (progress_.is_due()) update();
  }
}

}  // namespace fusedconv::app
