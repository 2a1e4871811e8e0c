// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <string>

#include "progress.hpp"

namespace fusedconv::test {
namespace {

using app::Progress;

constexpr std::int64_t gigabyte = 1'000'000'000;

/// A display whose clock and stream are the test's own.
struct Display {
  double now = 1000;
  std::ostringstream stream;

  app::ProgressDisplay lines(double interval) {
    app::ProgressDisplay display;
    display.stream = &stream;
    display.interval = interval;
    display.clock = [this] { return now; };
    return display;
  }
  app::ProgressDisplay terminal(int columns) {
    app::ProgressDisplay display = lines(60);
    display.is_terminal = true;
    display.columns = columns;
    return display;
  }
  std::string take() {
    std::string text = stream.str();
    stream.str("");
    return text;
  }
};

TEST(Progress, WritesALineEachInterval) {
  Display display;
  Progress progress({200, 100 * gigabyte}, display.lines(60));
  display.now += 59;
  progress.update({5, 2 * gigabyte});
  EXPECT_EQ(display.take(), "");
  display.now += 1;
  progress.update({24, 12 * gigabyte});
  EXPECT_EQ(display.take(), "fusedconv_app: 24 of 200 images, 0.4 images/s, 0.2 GB/s, 7:20 left\n");
  progress.update({25, 13 * gigabyte});
  display.now += 59;
  progress.update({40, 20 * gigabyte});
  EXPECT_EQ(display.take(), "");
  display.now += 1;
  progress.update({150, 75 * gigabyte});
  EXPECT_EQ(display.take(),
            "fusedconv_app: 150 of 200 images, 1.25 images/s, 0.625 GB/s, 0:40 left\n");
}

TEST(Progress, FillsABarThatFitsTheTerminal) {
  Display display;
  {
    Progress progress({8, 8 * gigabyte}, display.terminal(80));
    display.now += 2;
    progress.update({2, 2 * gigabyte});
    EXPECT_EQ(display.take(),
              "\r\033[K 25 % [######....................] 2 of 8 images, 1 images/s, 1 GB/s, "
              "0:06 left");
    progress.update({3, 3 * gigabyte});
    EXPECT_EQ(display.take(), "");
    display.now += 2;
    progress.update({7, 7 * gigabyte});
    const std::string bar = display.take();
    EXPECT_TRUE(bar.starts_with("\r\033[K 87 % [####")) << bar;
    EXPECT_LT(bar.size(), 80 + 4);
  }
  EXPECT_EQ(display.take(), "\r\033[K");
}

TEST(Progress, LeavesTheBarOutWhereTheTerminalIsNarrow) {
  Display display;
  Progress progress({8, 8 * gigabyte}, display.terminal(40));
  display.now += 2;
  progress.update({2, 2 * gigabyte});
  EXPECT_EQ(display.take(), "\r\033[K 25 % 2 of 8 images, 1 images/s, 1 GB/s, 0:06 left");
}

TEST(Progress, KnowsNoTimeThatRemainsBeforeAnythingIsDone) {
  Display display;
  Progress progress({8, 8 * gigabyte}, display.lines(1));
  display.now += 1;
  progress.update({});
  EXPECT_EQ(display.take(), "fusedconv_app: 0 of 8 images, 0 images/s, 0 GB/s, ? left\n");
}

TEST(Progress, IsSilentWhereItIsNotWanted) {
  testing::internal::CaptureStderr();
  {
    Progress progress({8, 8}, app::standard_error_display(false, 1e-9));
    EXPECT_FALSE(progress.is_due());
    progress.update({8, 8});
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(DurationText, HasHoursWhereThereAreSome) {
  EXPECT_EQ(app::duration_text(0.4), "0:00");
  EXPECT_EQ(app::duration_text(65), "1:05");
  EXPECT_EQ(app::duration_text(3599.6), "1:00:00");
  EXPECT_EQ(app::duration_text(90061), "25:01:01");
}

}  // namespace
}  // namespace fusedconv::test
