// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_STATISTICS_SUM_HPP
#define FUSEDCONV_APP_STATISTICS_SUM_HPP

#include <mpi.h>

#include "communicator.hpp"
#include "pipeline.hpp"

namespace fusedconv::app {

/// Sums over the ranks of a communicator by MPI_Iallreduce.
class RankSum final : public StatisticsSum {
 public:
  explicit RankSum(const Communicator& communicator) : communicator_(communicator) {}

  void start(std::uint64_t* values, std::int64_t count) override;
  bool is_complete() override;

 private:
  const Communicator& communicator_;
  MPI_Request request_ = MPI_REQUEST_NULL;
};

}  // namespace fusedconv::app

#endif
