// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_DEVICE_HPP
#define FUSEDCONV_APP_DEVICE_HPP

#include <cstdint>
#include <string>

/// What Kokkos does not tell of processors and their memory.
namespace fusedconv::app {

/// Whether a backend computes in a memory of its own, to which data must be copied.
bool has_own_memory(const std::string& backend);

/// Before Kokkos is initialised: GPUs that the driver shows to this process, of the kind that this
/// binary was built for; 0 for a binary without a GPU backend.
int gpu_count();

/// The processor on which a backend computes: "NVIDIA H100 80GB HBM3", or the host processor's
/// model.
std::string processor_name(const std::string& backend);

/// What the backend computes with at once: threads of the host, or 0 for a GPU.
int host_threads(const std::string& backend);

/// Bytes that are free in the memory in which a backend computes.
std::int64_t free_memory(const std::string& backend);

}  // namespace fusedconv::app

#endif
