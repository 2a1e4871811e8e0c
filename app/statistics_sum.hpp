// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_STATISTICS_SUM_HPP
#define FUSEDCONV_APP_STATISTICS_SUM_HPP

#include "communicator.hpp"
#include "pipeline.hpp"

namespace fusedconv::app {

/// Sums over the ranks of a communicator.
class RankSum final : public StatisticsSum {
 public:
  explicit RankSum(const Communicator& communicator) : communicator_(communicator) {}

  void sum(std::uint64_t* values, std::int64_t count) override;

 private:
  const Communicator& communicator_;
};

}  // namespace fusedconv::app

#endif
