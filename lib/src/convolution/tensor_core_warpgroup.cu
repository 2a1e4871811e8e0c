// SPDX-License-Identifier: Apache-2.0
#include "tensor_core_kernel.hpp"
#include "tensor_core_warpgroup_kernel.hpp"

namespace fusedconv::detail {

TensorCoreKernel tensor_core_warpgroup_kernel(bool split, int warpgroups) {
  if (split) return tensor_core_block<TensorCoreWarpgroupConfiguration<true, 1>>;
  return warpgroups == 2 ? tensor_core_block<TensorCoreWarpgroupConfiguration<false, 2>>
                         : tensor_core_block<TensorCoreWarpgroupConfiguration<false, 1>>;
}

}  // namespace fusedconv::detail
