// SPDX-License-Identifier: Apache-2.0
#include "tensor_core_kernel.hpp"
#include "tensor_core_warpgroup_kernel.hpp"

namespace fusedconv::detail {

TensorCoreKernel tensor_core_warpgroup_kernel(bool split) {
  return split ? tensor_core_block<TensorCoreWarpgroupConfiguration<true>>
               : tensor_core_block<TensorCoreWarpgroupConfiguration<false>>;
}

}  // namespace fusedconv::detail
