// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_WARPGROUP_KERNEL_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_WARPGROUP_KERNEL_HPP

#include "tensor_core_task.hpp"

namespace fusedconv::detail {

using TensorCoreKernel = void (*)(TensorCoreTask);

/// The kernel of warpgroups. In a file of its own, which is compiled for compute capability 9.0 and
/// what it alone has (sm_90a), and knows nothing of Kokkos.
/// \param split             operands as sums of two float16
/// \param warpgroups        1, or without split also 2
/// \param begins_with_words whether rows of the image begin with words of 16 bytes
TensorCoreKernel tensor_core_warpgroup_kernel(bool split, int warpgroups, bool begins_with_words);

/// Likewise the unrolled one. \param tile_width 64 or 128
TensorCoreKernel tensor_core_unrolled_warpgroup_kernel(bool split, int tile_width,
                                                       bool begins_with_words);

}  // namespace fusedconv::detail

#endif
