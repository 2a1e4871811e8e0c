// SPDX-License-Identifier: Apache-2.0
#include "transfer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <fusedconv/error.hpp>
#include <utility>

#include "communicator.hpp"
#include "thread_affinity.hpp"

namespace fusedconv::app {

namespace {

constexpr std::array<std::pair<const char*, Transfer>, 2> names{
    {{"independent", Transfer::independent}, {"mapped", Transfer::mapped}}};

/// More of them wait for each other in the kernel.
constexpr int most_threads = 8;

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
  throw InvalidArgument("transfer", "independent or mapped", name);
}

int copying_threads(const Communicator& communicator) {
  const int cpus = cpus_of_process();
  // Ranks that are bound have theirs to themselves.
  const int share = cpus == cpus_online() ? cpus / communicator.ranks_on_node() : cpus;
  return static_cast<int>(communicator.minimum(std::int64_t{std::clamp(share, 1, most_threads)}));
}

Transfer possible_transfer(Transfer wanted) {
  // Files are little-endian, and what is mapped is not converted.
  return std::endian::native == std::endian::little ? wanted : Transfer::independent;
}

}  // namespace fusedconv::app
