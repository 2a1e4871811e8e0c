// SPDX-License-Identifier: Apache-2.0
#include "transfer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <fusedconv/error.hpp>
#include <utility>

#include "communicator.hpp"
#include "thread_affinity.hpp"

#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>
#endif

namespace fusedconv::app {

namespace {

constexpr std::array<std::pair<const char*, Transfer>, 3> names{
    {{"auto", Transfer::automatic},
     {"independent", Transfer::independent},
     {"mapped", Transfer::mapped}}};

/// More of them wait for each other in the kernel.
constexpr int most_threads = 8;
/// Fewer of them are no faster than one that writes.
constexpr int least_threads = 4;
/// Less than this is written before threads are started.
constexpr std::int64_t least_bytes = std::int64_t{1} << 20;

bool is_on_tmpfs([[maybe_unused]] const std::string& path) {
#ifdef __linux__
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == TMPFS_MAGIC;
#else
  return false;
#endif
}

}  // namespace

std::string to_string(Transfer transfer) {
  for (const auto& [name, value] : names) {
    if (value == transfer) return name;
  }
  return "";
}

std::vector<std::string> transfer_names() {
  std::vector<std::string> all;
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

Transfer transfer_to(const Writing& wanted, const std::string& path, std::int64_t image_bytes) {
  // Files are little-endian, and what is mapped is not converted.
  if (std::endian::native != std::endian::little) return Transfer::independent;
  if (wanted.transfer != Transfer::automatic) return wanted.transfer;
  const bool pays =
      wanted.threads >= least_threads && image_bytes >= least_bytes && is_on_tmpfs(path);
  return pays ? Transfer::mapped : Transfer::independent;
}

}  // namespace fusedconv::app
