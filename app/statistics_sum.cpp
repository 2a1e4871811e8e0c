// SPDX-License-Identifier: Apache-2.0
#include "statistics_sum.hpp"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>

namespace fusedconv::app {

void RankSum::sum(std::uint64_t* values, std::int64_t count) {
  if (count > std::numeric_limits<int>::max()) {
    throw std::runtime_error("statistics of an image: expected at most 2^31 - 1 words, found " +
                             std::to_string(count));
  }
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallreduce(MPI_IN_PLACE, values, static_cast<int>(count), MPI_UINT64_T, MPI_SUM,
                 communicator_.get(), &request);
  // Waiting within MPI would take a core from those who compute.
  auto pause = std::chrono::microseconds(1);
  for (int complete = 0;;) {
    MPI_Test(&request, &complete, MPI_STATUS_IGNORE);
    if (complete != 0) return;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::microseconds(1000));
  }
}

}  // namespace fusedconv::app
