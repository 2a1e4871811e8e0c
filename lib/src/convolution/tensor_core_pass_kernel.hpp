// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_KERNEL_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_PASS_KERNEL_HPP

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "tensor_core_task.hpp"

namespace fusedconv::detail {

/// A kernel of the two passes over large images, and the shared memory that it is given.
struct TensorCorePassKernel {
  void (*function)(TensorCoreTask, CUtensorMap) = nullptr;
  std::int64_t shared_bytes = 0;
};

/// In a file of its own, which is compiled for compute capability 9.0 and what it alone has
/// (sm_90a), and knows nothing of Kokkos.
/// \param split      operands as sums of two float16
/// \param normalizes the second pass, which writes y; else the first one
TensorCorePassKernel tensor_core_pass_kernel(bool split, bool normalizes);

/// How bulk copies find a task's input; only for rows of whole words of 16 bytes.
/// \param images that x has
cudaError_t map_tensor_core_pass_input(const TensorCoreTask& task, int images, CUtensorMap& map);

}  // namespace fusedconv::detail

#endif
