// SPDX-License-Identifier: Apache-2.0
#include "device.hpp"

#include <Kokkos_Core.hpp>
#include <stdexcept>

#include "backend.hpp"
#include "host_memory.hpp"
#include "proc_file.hpp"

namespace fusedconv::app {

namespace {

template <class Space>
constexpr bool computes_in_host_memory =
    Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible;

std::string host_processor_name() {
  const std::string model = value_in("/proc/cpuinfo", "model name");
  return model.empty() ? "host processor" : model;
}

#if defined(KOKKOS_ENABLE_CUDA)
void check_gpu(cudaError_t status, const char* call) {
  if (status != cudaSuccess) {
    throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
  }
}
#elif defined(KOKKOS_ENABLE_HIP)
void check_gpu(hipError_t status, const char* call) {
  if (status != hipSuccess) {
    throw std::runtime_error(std::string(call) + ": " + hipGetErrorString(status));
  }
}
#endif

std::string gpu_name() {
#if defined(KOKKOS_ENABLE_CUDA)
  return Kokkos::Cuda().cuda_device_prop().name;
#elif defined(KOKKOS_ENABLE_HIP)
  return Kokkos::HIP().hip_device_prop().name;
#elif defined(KOKKOS_ENABLE_SYCL)
  return Kokkos::SYCL().sycl_queue().get_device().get_info<sycl::info::device::name>();
#else
  return "";
#endif
}

std::int64_t free_gpu_memory() {
#if defined(KOKKOS_ENABLE_CUDA)
  std::size_t free = 0;
  std::size_t total = 0;
  check_gpu(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return static_cast<std::int64_t>(free);
#elif defined(KOKKOS_ENABLE_HIP)
  std::size_t free = 0;
  std::size_t total = 0;
  check_gpu(hipMemGetInfo(&free, &total), "hipMemGetInfo");
  return static_cast<std::int64_t>(free);
#elif defined(KOKKOS_ENABLE_SYCL)
  // SYCL tells what a device has, not what is free.
  const auto bytes =
      Kokkos::SYCL().sycl_queue().get_device().get_info<sycl::info::device::global_mem_size>();
  return static_cast<std::int64_t>(bytes);
#else
  return 0;
#endif
}

}  // namespace

bool has_own_memory(const std::string& backend) {
  return dispatch_backend(
      backend, [](auto tag) { return !computes_in_host_memory<typename decltype(tag)::type>; });
}

int gpu_count() {
  int count = 0;
#if defined(KOKKOS_ENABLE_CUDA)
  // Without a driver this is an error; there are no GPUs then.
  if (cudaGetDeviceCount(&count) != cudaSuccess) return 0;
#elif defined(KOKKOS_ENABLE_HIP)
  if (hipGetDeviceCount(&count) != hipSuccess) return 0;
#elif defined(KOKKOS_ENABLE_SYCL)
  count = static_cast<int>(sycl::device::get_devices(sycl::info::device_type::gpu).size());
#endif
  return count;
}

std::string processor_name(const std::string& backend) {
  return has_own_memory(backend) ? gpu_name() : host_processor_name();
}

int host_threads(const std::string& backend) {
  return dispatch_backend(backend, [](auto tag) {
    using Space = typename decltype(tag)::type;
    if constexpr (computes_in_host_memory<Space>) {
      return Space().concurrency();
    } else {
      return 0;
    }
  });
}

std::int64_t free_memory(const std::string& backend) {
  return has_own_memory(backend) ? free_gpu_memory() : free_host_memory();
}

}  // namespace fusedconv::app
