// SPDX-License-Identifier: Apache-2.0
#include <type_traits>

#include "tensor_core_kernel.hpp"
#include "tensor_core_unrolled_warpgroup.hpp"
#include "tensor_core_warpgroup_kernel.hpp"

namespace fusedconv::detail {

TensorCoreKernel tensor_core_warpgroup_kernel(bool split, int warpgroups) {
  if (split) return tensor_core_block<TensorCoreWarpgroupConfiguration<true, 1>>;
  return warpgroups == 2 ? tensor_core_block<TensorCoreWarpgroupConfiguration<false, 2>>
                         : tensor_core_block<TensorCoreWarpgroupConfiguration<false, 1>>;
}

TensorCoreKernel tensor_core_unrolled_warpgroup_kernel(bool split, int tile_width) {
  const auto of_width = [split](auto width) -> TensorCoreKernel {
    constexpr int w = decltype(width)::value;
    return split ? tensor_core_unrolled_block<TensorCoreUnrolledWarpgroupConfiguration<true, w>>
                 : tensor_core_unrolled_block<TensorCoreUnrolledWarpgroupConfiguration<false, w>>;
  };
  return tile_width == 128 ? of_width(std::integral_constant<int, 128>{})
                           : of_width(std::integral_constant<int, 64>{});
}

}  // namespace fusedconv::detail
