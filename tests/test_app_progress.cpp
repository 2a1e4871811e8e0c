// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "progress.hpp"

namespace fusedconv::test {
namespace {

/// Standard error is a terminal of our own for as long as this lives.
class Terminal {
 public:
  Terminal() : controller_(posix_openpt(O_RDWR | O_NOCTTY)), standard_error_(dup(STDERR_FILENO)) {
    if (controller_ < 0 || grantpt(controller_) != 0 || unlockpt(controller_) != 0) {
      throw std::runtime_error("no pseudo-terminal");
    }
    const int terminal = open(ptsname(controller_), O_RDWR | O_NOCTTY);
    dup2(terminal, STDERR_FILENO);
    close(terminal);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    dup2(standard_error_, STDERR_FILENO);
    close(standard_error_);
    close(controller_);
  }

  /// What was shown, up to a mark that is written behind it: the kernel hands it on in pieces.
  std::string text() const {
    const std::string mark = "END";
    if (write(STDERR_FILENO, mark.data(), mark.size()) < 0) return "";
    std::string all;
    std::array<char, 4096> buffer{};
    while (!all.ends_with(mark)) {
      const ssize_t count = read(controller_, buffer.data(), buffer.size());
      if (count <= 0) return all;
      all.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return all.substr(0, all.size() - mark.size());
  }

 private:
  int controller_;
  int standard_error_;
};

}  // namespace
}  // namespace fusedconv::test
