// SPDX-License-Identifier: Apache-2.0
#include "tensor_core_pass.hpp"
#include "tensor_core_pass_kernel.hpp"

namespace fusedconv::detail {
namespace {

template <bool Split, bool Normalizes>
TensorCorePassKernel kernel_of() {
  using Configuration = TensorCorePassConfiguration<Split, Normalizes>;
  return {tensor_core_pass<Configuration>, sizeof(TensorCorePassShared<Configuration>)};
}

template <bool Split>
TensorCorePassKernel kernel_of(bool normalizes) {
  return normalizes ? kernel_of<Split, true>() : kernel_of<Split, false>();
}

}  // namespace

TensorCorePassKernel tensor_core_pass_kernel(bool split, bool normalizes) {
  return split ? kernel_of<true>(normalizes) : kernel_of<false>(normalizes);
}

cudaError_t map_tensor_core_pass_input(const TensorCoreTask& task, int images, CUtensorMap& map) {
  // Asked for at run time: programs need not link the driver, nor may an older one have it.
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found{};
#if CUDART_VERSION >= 12050
  constexpr unsigned first_version_with_it = 12000;
  const cudaError_t status = cudaGetDriverEntryPointByVersion(
      "cuTensorMapEncodeTiled", &entry, first_version_with_it, cudaEnableDefault, &found);
#else
  const cudaError_t status =
      cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &entry, cudaEnableDefault, &found);
#endif
  if (status != cudaSuccess) return status;
  if (found != cudaDriverEntryPointSuccess) return cudaErrorNotSupported;
  using Configuration = TensorCorePassConfiguration<true, true>;
  const auto width = static_cast<cuuint64_t>(task.width);
  const auto plane = static_cast<cuuint64_t>(task.input_plane);
  const auto channels = static_cast<cuuint64_t>(task.group_in_channels);
  const cuuint64_t extents[] = {width, static_cast<cuuint64_t>(task.height), channels,
                                static_cast<cuuint64_t>(task.groups) * images};
  const cuuint64_t strides[] = {width * 4, plane * 4, channels * plane * 4};
  const cuuint32_t box[] = {Configuration::raw_pitch, Configuration::band_rows, 8, 1};
  const cuuint32_t steps[] = {1, 1, 1, 1};
  const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(entry);
  const CUresult result =
      encode(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4, const_cast<float*>(task.x), extents, strides,
             box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
             CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace fusedconv::detail
