// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "interruption.hpp"

namespace fusedconv::test {
namespace {

class Signals : public testing::TestWithParam<int> {};

/// In processes of their own: what a signal does to a process stays.
TEST_P(Signals, AreKeptInMind) {
  const auto receive = [] {
    app::handle_signals();
    std::raise(GetParam());
    std::_Exit(app::received_signal() == GetParam() ? 0 : 1);
  };
  EXPECT_EXIT(receive(), testing::ExitedWithCode(0), "");
}

TEST_P(Signals, EndTheProcessWhenTheyComeASecondTime) {
  const auto receive = [] {
    app::handle_signals();
    std::raise(GetParam());
    std::raise(GetParam());
    std::_Exit(0);
  };
  EXPECT_EXIT(receive(), testing::KilledBySignal(GetParam()), "");
}

INSTANTIATE_TEST_SUITE_P(, Signals, testing::Values(SIGTERM, SIGINT, SIGUSR1),
                         [](const testing::TestParamInfo<int>& info) {
                           return app::signal_name(info.param);
                         });

TEST(ReceivedSignal, IsNoneBeforeThereIsOne) { EXPECT_EQ(app::received_signal(), 0); }

}  // namespace
}  // namespace fusedconv::test
