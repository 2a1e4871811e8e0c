// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PIPELINE_HPP
#define FUSEDCONV_APP_PIPELINE_HPP

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <vector>

#include "piece.hpp"

namespace fusedconv::app {

class Computation;
struct ComputeSeconds;

/// What is done with pieces outside of memory. The pipeline's I/O thread alone calls it, but for
/// stop_requested(): it is the one thread that may call HDF5 and MPI while a pipeline runs.
class PieceStore {
 public:
  virtual ~PieceStore() = default;

  /// Reads a piece's input, with the halo of split images, to contiguous memory.
  virtual void read(const Piece& piece, float* input) = 0;
  /// Writes a piece's output.
  virtual void write(const Piece& piece, const float* output) = 0;
  /// Called when write() has returned.
  virtual void completed(const Piece& piece) = 0;
  /// Whether to leave all pieces undone that are not begun. Asked between pieces by both threads.
  virtual bool stop_requested() const = 0;
};

/// Sums the statistics of split images over ranks.
class StatisticsSum {
 public:
  virtual ~StatisticsSum() = default;

  /// Replaces `values` by the sums of the values of all ranks; waits for all of them.
  virtual void sum(std::uint64_t* values, std::int64_t count) = 0;
};

/// A piece whose input is in memory.
struct ReadPiece {
  Piece piece;
  int buffer = 0;  ///< of the computation's input buffers
};

/// What a computation sees of a pipeline. Everything is called by the computing thread.
class PieceQueue {
 public:
  virtual ~PieceQueue() = default;

  /// The next piece; waits until it has been read. Nothing when there are no more.
  virtual std::optional<ReadPiece> next() = 0;
  /// The next piece if it has been read.
  virtual std::optional<ReadPiece> poll() = 0;
  /// The input buffer may be overwritten.
  virtual void release_input(int buffer) = 0;
  /// An output buffer that may be overwritten; waits until there is one.
  virtual int acquire_output() = 0;
  /// The output buffer holds a piece, which is written now.
  virtual void write(const Piece& piece, int buffer) = 0;
  /// The output buffer holds nothing that is wanted.
  virtual void release_output(int buffer) = 0;
  /// Replaces the statistics of a rank's rows by those of all rows; waits for the other ranks.
  virtual void sum_statistics(std::uint64_t* values, std::int64_t count) = 0;
};

/// Reads, computes and writes pieces at the same time: a thread of its own reads the next ones and
/// writes the last ones while the calling thread, which initialised Kokkos, computes.
///
/// What either thread throws stops both, and run() throws the first of it. A request to stop leaves
/// the pieces that are not begun; where images are split, all ranks stop before the same sum of
/// statistics, and so none waits for another.
class Pipeline final : private PieceQueue {
 public:
  /// \param buffers of the computation, for input and for output
  /// \param statistics_sum null where no piece is split; of `statistics_count` values
  Pipeline(PieceStore& store, std::vector<Piece> pieces, int buffers,
           StatisticsSum* statistics_sum = nullptr, std::int64_t statistics_count = 0);

  /// Returns when all pieces are written, or those that were begun when a stop was requested.
  /// \param repeat computations of each piece, for the sake of the seconds
  /// \return how long the computation took
  ComputeSeconds run(Computation& computation, std::int64_t repeat);

  /// After run(): pieces of which nothing was written, because this rank or another one was to
  /// stop.
  std::int64_t undone() const { return to_write_ - written_; }

 private:
  struct Interrupted {
  };  // thrown where a thread waits in vain: the other one has failed, or all stop

  std::optional<ReadPiece> next() override;
  std::optional<ReadPiece> poll() override;
  void release_input(int buffer) override;
  int acquire_output() override;
  void write(const Piece& piece, int buffer) override;
  void release_output(int buffer) override;
  void sum_statistics(std::uint64_t* values, std::int64_t count) override;

  void serve() noexcept;
  void serve_all();
  void read_next(std::unique_lock<std::mutex>& lock);
  void write_next(std::unique_lock<std::mutex>& lock);
  void sum_of_ranks(std::unique_lock<std::mutex>& lock);
  bool may_read() const;
  void look_for_stop();
  std::optional<ReadPiece> take_read();
  template <class Condition>
  void wait_until(std::unique_lock<std::mutex>& lock, Condition condition);
  void fail(std::exception_ptr failure);

  struct Output {
    Piece piece;
    int buffer = 0;
  };

  PieceStore& store_;
  std::vector<Piece> pieces_;
  Computation* computation_ = nullptr;
  StatisticsSum* statistics_sum_;
  // And one value more: how many ranks stop.
  std::vector<std::uint64_t> statistics_;
  std::int64_t to_write_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  // All of the following is guarded by mutex_.
  std::size_t next_to_read_ = 0;
  std::vector<int> free_inputs_;
  std::vector<int> free_outputs_;
  bool reading_ = false;
  std::deque<ReadPiece> read_;
  std::deque<Output> computed_;
  std::int64_t written_ = 0;
  bool sum_wanted_ = false;
  bool ranks_have_stopped_ = false;
  bool computation_has_ended_ = false;
  bool stopped_ = false;
  std::exception_ptr failure_;
};

}  // namespace fusedconv::app

#endif
