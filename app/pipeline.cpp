// SPDX-License-Identifier: Apache-2.0
#include "pipeline.hpp"

#include <algorithm>
#include <numeric>
#include <thread>
#include <utility>

#include "computation.hpp"
#include "thread_affinity.hpp"

namespace fusedconv::app {

namespace {

std::vector<int> numbers_below(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

Pipeline::Pipeline(PieceStore& store, std::vector<Piece> pieces, int buffers,
                   StatisticsSum* statistics_sum, std::int64_t statistics_count)
    : store_(store),
      pieces_(std::move(pieces)),
      statistics_sum_(statistics_sum),
      statistics_(statistics_sum == nullptr ? 0 : static_cast<std::size_t>(statistics_count + 1)),
      to_write_(std::count_if(pieces_.begin(), pieces_.end(),
                              [](const Piece& piece) { return piece.is_written(); })),
      free_inputs_(numbers_below(buffers)),
      free_outputs_(numbers_below(buffers)) {}

ComputeSeconds Pipeline::run(Computation& computation, std::int64_t repeat) {
  computation_ = &computation;
  std::thread io_thread([this] { serve(); });
  ComputeSeconds seconds;
  try {
    seconds = computation.run(*this, repeat);
  } catch (const Interrupted&) {
    // The other thread's failure is the one to tell.
  } catch (...) {
    fail(std::current_exception());
  }
  {
    const std::lock_guard lock(mutex_);
    computation_has_ended_ = true;
    changed_.notify_all();
  }
  io_thread.join();
  if (failure_) std::rethrow_exception(failure_);
  return seconds;
}

void Pipeline::fail(std::exception_ptr failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
  changed_.notify_all();
}

template <class Condition>
void Pipeline::wait_until(std::unique_lock<std::mutex>& lock, Condition condition) {
  changed_.wait(lock, [&] { return failure_ || condition(); });
  if (failure_) throw Interrupted{};
}

void Pipeline::look_for_stop() {
  if (stopped_ || !store_.stop_requested()) return;
  stopped_ = true;
  changed_.notify_all();
}

std::optional<ReadPiece> Pipeline::take_read() {
  look_for_stop();
  if (stopped_ || read_.empty()) return std::nullopt;
  const ReadPiece next = read_.front();
  read_.pop_front();
  return next;
}

std::optional<ReadPiece> Pipeline::next() {
  std::unique_lock lock(mutex_);
  wait_until(lock, [&] {
    return !read_.empty() || stopped_ || (next_to_read_ == pieces_.size() && !reading_);
  });
  return take_read();
}

std::optional<ReadPiece> Pipeline::poll() {
  const std::lock_guard lock(mutex_);
  if (failure_) throw Interrupted{};
  return take_read();
}

void Pipeline::release_input(int buffer) {
  const std::lock_guard lock(mutex_);
  free_inputs_.push_back(buffer);
  changed_.notify_all();
}

int Pipeline::acquire_output() {
  std::unique_lock lock(mutex_);
  wait_until(lock, [&] { return !free_outputs_.empty(); });
  const int buffer = free_outputs_.back();
  free_outputs_.pop_back();
  return buffer;
}

void Pipeline::write(const Piece& piece, int buffer) {
  const std::lock_guard lock(mutex_);
  computed_.push_back({piece, buffer});
  changed_.notify_all();
}

void Pipeline::release_output(int buffer) {
  const std::lock_guard lock(mutex_);
  free_outputs_.push_back(buffer);
  changed_.notify_all();
}

void Pipeline::sum_statistics(std::uint64_t* values, std::int64_t count) {
  if (statistics_sum_ == nullptr) return;
  std::unique_lock lock(mutex_);
  std::copy_n(values, count, statistics_.begin());
  sum_wanted_ = true;
  changed_.notify_all();
  wait_until(lock, [&] { return !sum_wanted_; });
  if (ranks_have_stopped_) throw Interrupted{};
  std::copy_n(statistics_.begin(), count, values);
}

void Pipeline::serve() noexcept {
  try {
    run_on_all_cpus_of_process();
    serve_all();
  } catch (const Interrupted&) {
    // The computing thread's failure is the one to tell.
  } catch (...) {
    fail(std::current_exception());
  }
}

void Pipeline::serve_all() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wait_until(lock, [&] {
      return sum_wanted_ || may_read() || !computed_.empty() || computation_has_ended_;
    });
    look_for_stop();
    if (sum_wanted_) {
      sum_of_ranks(lock);
    } else if (may_read()) {
      read_next(lock);
    } else if (!computed_.empty()) {
      write_next(lock);
    } else if (computation_has_ended_) {
      break;
    }
  }
  // A rank that stops leaves its last sum to the others, who learn from it; they wait for nobody
  // who has nothing left to do.
  if (statistics_sum_ == nullptr || ranks_have_stopped_) return;
  std::fill(statistics_.begin(), statistics_.end(), 0);
  sum_of_ranks(lock);
}

bool Pipeline::may_read() const {
  return !stopped_ && !computation_has_ended_ && next_to_read_ < pieces_.size() &&
         !free_inputs_.empty();
}

void Pipeline::read_next(std::unique_lock<std::mutex>& lock) {
  const ReadPiece next{pieces_[next_to_read_++], free_inputs_.back()};
  free_inputs_.pop_back();
  reading_ = true;
  lock.unlock();
  if (!next.piece.is_empty()) store_.read(next.piece, computation_->input(next.buffer));
  lock.lock();
  reading_ = false;
  read_.push_back(next);
  changed_.notify_all();
}

void Pipeline::write_next(std::unique_lock<std::mutex>& lock) {
  const Output next = computed_.front();
  computed_.pop_front();
  lock.unlock();
  store_.write(next.piece, computation_->output(next.buffer));
  lock.lock();
  // What is recorded of the piece need not keep the computation from its buffer.
  free_outputs_.push_back(next.buffer);
  ++written_;
  changed_.notify_all();
  lock.unlock();
  store_.completed(next.piece);
  lock.lock();
}

void Pipeline::sum_of_ranks(std::unique_lock<std::mutex>& lock) {
  statistics_.back() = stopped_ ? 1 : 0;
  lock.unlock();
  statistics_sum_->sum(statistics_.data(), static_cast<std::int64_t>(statistics_.size()));
  lock.lock();
  if (statistics_.back() > 0) ranks_have_stopped_ = stopped_ = true;
  sum_wanted_ = false;
  changed_.notify_all();
}

}  // namespace fusedconv::app
