// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HOST_MEMORY_HPP
#define FUSEDCONV_APP_HOST_MEMORY_HPP

#include <cstdint>
#include <filesystem>

namespace fusedconv::app {

/// Bytes of host memory that the processes of a job could still get on this node without swapping:
/// the least of what the system has, what the control groups of this process (a container's, a
/// batch system's; versions 1 and 2) and all those above them leave, and what SLURM allows
/// (SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU for SLURM_CPUS_ON_NODE).
/// \param root where /proc and /sys/fs/cgroup are looked for
std::int64_t free_host_memory(const std::filesystem::path& root = "/");

/// The most bytes that this process has had resident so far; 0 where the system does not tell.
std::int64_t peak_host_memory();

}  // namespace fusedconv::app

#endif
