// SPDX-License-Identifier: Apache-2.0
#include "communicator.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace fusedconv::app {

namespace {

template <class Value>
Value reduce_to_all(Value value, MPI_Datatype type, MPI_Op operation, MPI_Comm communicator) {
  Value result{};
  MPI_Allreduce(&value, &result, 1, type, operation, communicator);
  return result;
}

}  // namespace

MpiSession::MpiSession(int& argc, char**& argv) {
  // Where there is no launcher Open MPI 4 starts a daemon that could start others, which nobody
  // does, and waits for it some tenths of a second. Others do not know the variable.
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
  // Threads take turns: while a pipeline runs its I/O thread alone calls MPI, else the main thread.
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &thread_support_);
}

MpiSession::~MpiSession() { MPI_Finalize(); }

Communicator::Communicator() {
  MPI_Comm_rank(get(), &rank_);
  MPI_Comm_size(get(), &size_);
  MPI_Comm_split_type(get(), MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node_);
  MPI_Comm_rank(node_, &rank_on_node_);
  MPI_Comm_size(node_, &ranks_on_node_);
}

Communicator::Communicator(const Communicator& of, int first, int count) {
  if (count == 1) {
    ranks_ = MPI_COMM_SELF;
    return;
  }
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Group some = MPI_GROUP_NULL;
  int ranks[1][3] = {{first, first + count - 1, 1}};
  MPI_Comm_group(of.get(), &all);
  MPI_Group_range_incl(all, 1, ranks, &some);
  // The first rank tells apart those that are made at the same time.
  MPI_Comm_create_group(of.get(), some, first, &ranks_);
  MPI_Group_free(&some);
  MPI_Group_free(&all);
  MPI_Comm_rank(get(), &rank_);
  MPI_Comm_size(get(), &size_);
}

Communicator::~Communicator() {
  if (node_ != MPI_COMM_NULL) MPI_Comm_free(&node_);
  if (ranks_ != MPI_COMM_WORLD && ranks_ != MPI_COMM_SELF) MPI_Comm_free(&ranks_);
}

void Communicator::barrier() const { MPI_Barrier(get()); }

std::int64_t Communicator::minimum(std::int64_t value) const {
  return reduce_to_all(value, MPI_INT64_T, MPI_MIN, get());
}

std::int64_t Communicator::maximum(std::int64_t value) const {
  return reduce_to_all(value, MPI_INT64_T, MPI_MAX, get());
}

std::int64_t Communicator::sum(std::int64_t value) const {
  return reduce_to_all(value, MPI_INT64_T, MPI_SUM, get());
}

double Communicator::maximum(double value) const {
  return reduce_to_all(value, MPI_DOUBLE, MPI_MAX, get());
}

double Communicator::sum(double value) const {
  return reduce_to_all(value, MPI_DOUBLE, MPI_SUM, get());
}

void Communicator::broadcast(void* bytes, std::int64_t count) const {
  // MPI counts in int.
  constexpr std::int64_t most = std::int64_t{1} << 30;
  for (std::int64_t sent = 0; sent < count; sent += most) {
    MPI_Bcast(static_cast<char*>(bytes) + sent, static_cast<int>(std::min(most, count - sent)),
              MPI_BYTE, 0, get());
  }
}

void Communicator::broadcast(std::string& text) const {
  auto length = static_cast<std::int64_t>(text.size());
  broadcast(&length, sizeof length);
  text.resize(static_cast<std::size_t>(length));
  broadcast(text.data(), length);
}

std::vector<std::string> Communicator::gather(const std::string& text) const {
  const int length = static_cast<int>(text.size());
  std::vector<int> lengths(is_root() ? static_cast<std::size_t>(size_) : 0);
  MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, get());
  std::vector<int> offsets(lengths.size());
  std::exclusive_scan(lengths.begin(), lengths.end(), offsets.begin(), 0);
  std::string all(lengths.empty() ? 0 : static_cast<std::size_t>(offsets.back() + lengths.back()),
                  '\0');
  MPI_Gatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(), MPI_CHAR,
              0, get());
  std::vector<std::string> texts;
  texts.reserve(lengths.size());
  for (std::size_t rank = 0; rank < lengths.size(); ++rank) {
    texts.push_back(all.substr(static_cast<std::size_t>(offsets[rank]),
                               static_cast<std::size_t>(lengths[rank])));
  }
  return texts;
}

}  // namespace fusedconv::app
