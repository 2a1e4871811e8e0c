// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_COMMUNICATOR_HPP
#define FUSEDCONV_APP_COMMUNICATOR_HPP

#include <mpi.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace fusedconv::app {

/// MPI from MPI_Init to MPI_Finalize. No status is asked for: MPI's own handler, which is left in
/// place, ends all ranks with a message where a call fails.
class MpiSession {
 public:
  MpiSession(int& argc, char**& argv);
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
  ~MpiSession();

  /// Whether MPI may be called by another thread than the one that initialised it.
  bool threads_may_take_turns() const { return thread_support_ >= MPI_THREAD_SERIALIZED; }

 private:
  int thread_support_ = MPI_THREAD_SINGLE;
};

/// All ranks, or some of them.
class Communicator {
 public:
  /// All ranks. Called by all of them.
  Communicator();
  /// Ranks [first, first + count) of another communicator. Called by these ranks alone, which need
  /// not wait for others.
  Communicator(const Communicator& of, int first, int count);
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator();

  int rank() const { return rank_; }
  int size() const { return size_; }
  int rank_on_node() const { return rank_on_node_; }
  int ranks_on_node() const { return ranks_on_node_; }
  /// The rank that speaks, and reads what all need.
  bool is_root() const { return rank_ == 0; }
  MPI_Comm get() const { return ranks_; }

  void barrier() const;
  std::int64_t minimum(std::int64_t value) const;
  std::int64_t maximum(std::int64_t value) const;
  std::int64_t sum(std::int64_t value) const;
  double maximum(double value) const;
  double sum(double value) const;

  /// Gives all ranks what rank 0 has.
  void broadcast(void* bytes, std::int64_t count) const;
  void broadcast(std::string& text) const;
  template <class Value>
  void broadcast(std::vector<Value>& values) const {
    static_assert(std::is_trivially_copyable_v<Value>);
    auto length = static_cast<std::int64_t>(values.size());
    broadcast(&length, sizeof length);
    values.resize(static_cast<std::size_t>(length));
    broadcast(values.data(), length * static_cast<std::int64_t>(sizeof(Value)));
  }

  /// The texts of all ranks, in their order, on rank 0; nothing elsewhere.
  std::vector<std::string> gather(const std::string& text) const;

 private:
  MPI_Comm ranks_ = MPI_COMM_WORLD;
  int rank_ = 0;
  int size_ = 1;
  int rank_on_node_ = 0;
  int ranks_on_node_ = 1;
  MPI_Comm node_ = MPI_COMM_NULL;
};

}  // namespace fusedconv::app

#endif
