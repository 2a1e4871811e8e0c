// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <utility>

namespace fusedconv::app {

namespace {

constexpr const char* clear_line = "\r\033[K";
constexpr double seconds_between_bars = 0.2;

int terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

/// 3 significant digits for what is small, whole numbers for what is large.
std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), value < 100 ? "%.3g" : "%.0f", value);
  return text.data();
}

}  // namespace

Amount& Amount::operator+=(const Amount& other) {
  images += other.images;
  bytes += other.bytes;
  return *this;
}

ProgressDisplay standard_error_display(bool wanted, double interval) {
  ProgressDisplay display;
  if (!wanted) return display;
  display.stream = &std::cerr;
  display.is_terminal = isatty(STDERR_FILENO) == 1;
  display.interval = interval;
  display.columns = display.is_terminal ? terminal_columns() : 0;
  display.clock = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  return display;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::llround(seconds));
  std::array<char, 32> text{};
  if (whole < 3600) {
    std::snprintf(text.data(), text.size(), "%lld:%02lld", whole / 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  }
  return text.data();
}

Progress::Progress(const Amount& total, ProgressDisplay display)
    : total_(total), display_(std::move(display)) {
  if (display_.stream != nullptr) start_ = shown_ = display_.clock();
}

Progress::~Progress() {
  if (display_.stream != nullptr && display_.is_terminal) {
    *display_.stream << clear_line << std::flush;
  }
}

bool Progress::is_due() const {
  if (display_.stream == nullptr) return false;
  const double pause = display_.is_terminal ? seconds_between_bars : display_.interval;
  return display_.clock() - shown_ >= pause;
}

void Progress::update(const Amount& done) {
  if (!is_due()) return;
  shown_ = display_.clock();
  const std::string words = text(done, shown_ - start_);
  if (display_.is_terminal) {
    *display_.stream << clear_line << bar(done, words) << words << std::flush;
  } else {
    *display_.stream << "fusedconv_app: " << words << '\n' << std::flush;
  }
}

std::string Progress::text(const Amount& done, double seconds) const {
  const double rate = static_cast<double>(done.bytes) / seconds;
  const auto bytes_left = static_cast<double>(std::max<std::int64_t>(0, total_.bytes - done.bytes));
  return number(done.images) + " of " + number(total_.images) + " images, " +
         number(done.images / seconds) + " images/s, " + number(rate * 1e-9) + " GB/s, " +
         (rate > 0 ? duration_text(bytes_left / rate) : "?") + " left";
}

std::string Progress::bar(const Amount& done, const std::string& text) const {
  const double part =
      total_.bytes > 0 ? static_cast<double>(done.bytes) / static_cast<double>(total_.bytes) : 0;
  const int percent = static_cast<int>(100 * std::min(1.0, part));
  std::array<char, 16> head{};
  std::snprintf(head.data(), head.size(), "%3d %% ", percent);
  // What is left of the line, so that it is not wrapped: a wrapped line cannot be written over.
  const int width =
      std::min(40, display_.columns - 1 -
                       static_cast<int>(std::string(head.data()).size() + text.size()) - 3);
  if (width < 4) return head.data();
  const auto full = static_cast<std::size_t>(width * percent / 100);
  std::string line = head.data();
  line.push_back('[');
  line.append(full, '#').append(static_cast<std::size_t>(width) - full, '.').append("] ");
  return line;
}

}  // namespace fusedconv::app
