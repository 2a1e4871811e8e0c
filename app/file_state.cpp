// SPDX-License-Identifier: Apache-2.0
#include "file_state.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>

namespace fusedconv::app {

namespace {

constexpr std::int64_t nanoseconds = 1'000'000'000;

}  // namespace

FileState file_state(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw std::system_error(errno, std::generic_category(), path + ": could not ask for its state");
  }
  return {status.st_size, status.st_mtim.tv_sec * nanoseconds + status.st_mtim.tv_nsec};
}

std::string to_string(const FileState& state) {
  const std::time_t seconds = state.modified / nanoseconds;
  std::tm fields{};
  gmtime_r(&seconds, &fields);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &fields);
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%lld bytes modified at %s.%09lldZ",
                static_cast<long long>(state.bytes), date.data(),
                static_cast<long long>(state.modified % nanoseconds));
  return text.data();
}

FileChanged::FileChanged(const std::string& path, const FileState& before, const FileState& now)
    : std::runtime_error(path + ": expected a file that stays as it is while it is read, " +
                         to_string(before) + ", found " + to_string(now)) {}

void require_unchanged(const std::string& path, const FileState& before) {
  const FileState now = file_state(path);
  if (now != before) throw FileChanged(path, before, now);
}

}  // namespace fusedconv::app
