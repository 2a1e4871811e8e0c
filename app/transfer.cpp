// SPDX-License-Identifier: Apache-2.0
#include "transfer.hpp"

#ifdef __linux__
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>
#include <fusedconv/error.hpp>
#include <utility>

#include "communicator.hpp"
#include "mount_options.hpp"
#include "thread_affinity.hpp"

namespace fusedconv::app {

namespace {

constexpr std::array<std::pair<const char*, Transfer>, 3> names{
    {{"auto", Transfer::automatic},
     {"independent", Transfer::independent},
     {"mapped", Transfer::mapped}}};

/// More of them wait for each other in the kernel.
constexpr int most_threads = 8;
/// Fewer of them copy no faster than write() does.
constexpr int least_threads = 4;

#ifdef __linux__
bool is_in_memory(const std::string& path) {
  struct statfs system {};
  return ::statfs(path.c_str(), &system) == 0 && system.f_type == TMPFS_MAGIC;
}

bool is_in_huge_pages(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return false;
  std::ifstream mountinfo("/proc/self/mountinfo");
  return has_huge_pages(mount_options(
      mountinfo, std::to_string(major(file.st_dev)) + ":" + std::to_string(minor(file.st_dev))));
}
#else
bool is_in_memory(const std::string&) { return false; }
bool is_in_huge_pages(const std::string&) { return false; }
#endif

}  // namespace

std::string to_string(Transfer transfer) {
  for (const auto& [name, value] : names) {
    if (value == transfer) return name;
  }
  return "";
}

std::vector<std::string> transfer_names() {
  std::vector<std::string> all;
  all.reserve(names.size());
  for (const auto& [name, value] : names) all.emplace_back(name);
  return all;
}

Transfer transfer_from_string(const std::string& name) {
  for (const auto& [known, value] : names) {
    if (known == name) return value;
  }
  throw InvalidArgument("transfer", "auto, independent or mapped", name);
}

int copying_threads(const Communicator& communicator) {
  const int cpus = cpus_of_process();
  // Ranks that are bound have theirs to themselves.
  const int share = cpus == cpus_online() ? cpus / communicator.ranks_on_node() : cpus;
  return static_cast<int>(communicator.minimum(std::int64_t{std::clamp(share, 1, most_threads)}));
}

Transfer transfer_to(const std::string& path, const Writing& wanted) {
  // Files are little-endian, and what is mapped is not converted.
  if (std::endian::native != std::endian::little) return Transfer::independent;
  if (wanted.transfer != Transfer::automatic) return wanted.transfer;
  const bool enough_threads = !wanted.is_computing && wanted.threads >= least_threads;
  const bool maps = is_in_memory(path) && (enough_threads || is_in_huge_pages(path));
  return maps ? Transfer::mapped : Transfer::independent;
}

}  // namespace fusedconv::app
