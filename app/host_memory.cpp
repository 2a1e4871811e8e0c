// SPDX-License-Identifier: Apache-2.0
#include "host_memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "proc_file.hpp"

namespace fusedconv::app {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();

/// The number at a text's begin, if there is one that is no larger than the type holds.
std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  return number;
}

std::optional<std::int64_t> number_in_file(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word)) return std::nullopt;
  return number_in(word);
}

/// A number of a file whose lines are "key number".
std::optional<std::int64_t> number_of(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string found;
  std::string number;
  while (file >> found >> number) {
    if (found == key) return number_in(number);
  }
  return std::nullopt;
}

/// What the files of a version of control groups are called.
struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* reclaimable;  ///< of memory.stat
};
constexpr GroupFiles version_1{"memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_inactive_file"};
constexpr GroupFiles version_2{"memory.max", "memory.current", "inactive_file"};

std::int64_t left_in_group(const fs::path& group, const GroupFiles& files) {
  // "max" is no number; a limit that exceeds what machines have does no harm.
  const std::optional<std::int64_t> limit = number_in_file(group / files.limit);
  const std::optional<std::int64_t> usage = number_in_file(group / files.usage);
  if (!limit || !usage) return unlimited;
  // Files that were read or written are part of the usage, and make room.
  const std::int64_t reclaimable = number_of(group / "memory.stat", files.reclaimable).value_or(0);
  return std::max<std::int64_t>(0, *limit - std::max<std::int64_t>(0, *usage - reclaimable));
}

/// In a group and all above it. A container may see its own group in the place of the uppermost,
/// under another path than the one that it is told.
std::int64_t left_in_groups(const fs::path& mount, const fs::path& path, const GroupFiles& files) {
  std::int64_t left = left_in_group(mount, files);
  fs::path group = mount;
  for (const fs::path& name : path.relative_path()) {
    group /= name;
    left = std::min(left, left_in_group(group, files));
  }
  return left;
}

/// Whether a list "cpu,memory" has a word.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

std::int64_t left_by_control_groups(const fs::path& root) {
  const fs::path mounts = root / "sys/fs/cgroup";
  std::int64_t left = unlimited;
  std::ifstream file(root / "proc/self/cgroup");
  // "4:memory:/path" of version 1, "0::/path" of version 2.
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      // Beside version 1 the other has a directory of its own.
      for (const fs::path& mount : {mounts, mounts / "unified"}) {
        left = std::min(left, left_in_groups(mount, path, version_2));
      }
    } else if (has_word(controllers, "memory")) {
      left = std::min(left, left_in_groups(mounts / "memory", path, version_1));
    }
  }
  return left;
}

std::int64_t mebibytes_in(const char* variable) {
  const char* const text = std::getenv(variable);
  const std::optional<std::int64_t> mebibytes = number_in(text == nullptr ? "" : text);
  // 0 is all that a node has.
  if (!mebibytes || *mebibytes == 0 || *mebibytes > unlimited >> 20) return unlimited;
  return *mebibytes << 20;
}

std::int64_t allowed_by_slurm() {
  std::int64_t per_cpu = mebibytes_in("SLURM_MEM_PER_CPU");
  const char* const text = std::getenv("SLURM_CPUS_ON_NODE");
  const std::int64_t cpus = number_in(text == nullptr ? "" : text).value_or(0);
  if (per_cpu != unlimited && (cpus == 0 || __builtin_mul_overflow(per_cpu, cpus, &per_cpu))) {
    per_cpu = unlimited;
  }
  return std::min(mebibytes_in("SLURM_MEM_PER_NODE"), per_cpu);
}

std::int64_t left_by_system(const fs::path& root) {
  const std::string available = value_in(root / "proc/meminfo", "MemAvailable");
  if (const auto kibibytes = number_in(available)) return *kibibytes * 1024;
  return static_cast<std::int64_t>(sysconf(_SC_AVPHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

}  // namespace

std::int64_t free_host_memory(const fs::path& root) {
  return std::min({left_by_system(root), left_by_control_groups(root), allowed_by_slurm()});
}

std::int64_t peak_host_memory() {
  const auto kibibytes = number_in(value_in("/proc/self/status", "VmHWM"));
  return kibibytes.value_or(0) * 1024;
}

}  // namespace fusedconv::app
