// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <unistd.h>

#include <iostream>

namespace fusedconv::app {

namespace {

constexpr const char* clear_line = "\r\033[K";

}  // namespace

Progress::Progress(bool wanted, std::int64_t images)
    : shown_(wanted && images > 0 && isatty(STDERR_FILENO) == 1), images_(images) {}

Progress::~Progress() {
  if (shown_) std::cerr << clear_line << std::flush;
}

void Progress::add(std::int64_t images) {
  done_ += images;
  if (!shown_) return;
  std::cerr << clear_line << done_ << " of the " << images_ << " images of rank 0 ("
            << 100 * done_ / images_ << " %)" << std::flush;
}

}  // namespace fusedconv::app
