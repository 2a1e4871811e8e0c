// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "communicator.hpp"
#include "interruption.hpp"

namespace fusedconv::test {
namespace {

/// One MPI session for all tests of this program, which ctest runs on several ranks.
const app::Communicator& all_ranks() {
  static int count = 0;
  static char** arguments = nullptr;
  static const app::MpiSession session(count, arguments);
  static const app::Communicator communicator;
  return communicator;
}

TEST(Interruption, IsNoneWhereNobodyStops) {
  app::Interruption interruption(all_ranks());
  EXPECT_FALSE(interruption.stop());
  interruption.wait_for_all([] {});
  EXPECT_EQ(interruption.outcome(true), 0);
}

/// The last rank alone is signalled, and the first has nothing left to do: without the message,
/// which the first must pass on, the others would never stop.
TEST(Interruption, ReachesAllRanksFromOne) {
  const app::Communicator& ranks = all_ranks();
  app::handle_signals();
  app::Interruption interruption(ranks);
  if (ranks.rank() == ranks.size() - 1) std::raise(SIGUSR1);
  const bool has_nothing_to_do = ranks.is_root() && ranks.size() > 1;
  if (!has_nothing_to_do) {
    while (!interruption.stop()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  interruption.wait_for_all([] {});
  EXPECT_EQ(interruption.outcome(has_nothing_to_do), SIGUSR1);
  // Who has been signalled when all was done, was not interrupted.
  EXPECT_EQ(interruption.outcome(true), 0);
}

}  // namespace
}  // namespace fusedconv::test
