// SPDX-License-Identifier: Apache-2.0
#include "statistics_sum.hpp"

#include <limits>
#include <stdexcept>
#include <string>

namespace fusedconv::app {

void RankSum::start(std::uint64_t* values, std::int64_t count) {
  if (count > std::numeric_limits<int>::max()) {
    throw std::runtime_error("statistics of an image: expected at most 2^31 - 1 words, found " +
                             std::to_string(count));
  }
  MPI_Iallreduce(MPI_IN_PLACE, values, static_cast<int>(count), MPI_UINT64_T, MPI_SUM,
                 communicator_.get(), &request_);
}

bool RankSum::is_complete() {
  int complete = 0;
  MPI_Test(&request_, &complete, MPI_STATUS_IGNORE);
  return complete != 0;
}

}  // namespace fusedconv::app
