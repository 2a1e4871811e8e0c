// SPDX-License-Identifier: Apache-2.0
#include <fusedconv/error.hpp>
#include <utility>

namespace fusedconv {

InvalidArgument::InvalidArgument(std::string object, std::string expected, std::string found)
    : std::invalid_argument(object + ": expected " + expected + ", found " + found),
      object_(std::move(object)),
      expected_(std::move(expected)),
      found_(std::move(found)) {}

OutOfMemory::OutOfMemory(const std::string& what_for, const std::string& memory_space,
                         std::int64_t requested_bytes)
    : std::runtime_error(what_for + ": could not allocate " + std::to_string(requested_bytes) +
                         " bytes in Kokkos memory space " + memory_space),
      requested_bytes_(requested_bytes) {}

}  // namespace fusedconv
