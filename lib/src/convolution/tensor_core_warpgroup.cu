// SPDX-License-Identifier: Apache-2.0
#include "tensor_core_kernel.hpp"
#include "tensor_core_unrolled_warpgroup.hpp"
#include "tensor_core_warpgroup_kernel.hpp"

namespace fusedconv::detail {

namespace {

template <bool BeginsWithWords>
TensorCoreKernel warpgroup_kernel(bool split, int warpgroups) {
  constexpr bool begins = BeginsWithWords;
  if (split) return tensor_core_block<TensorCoreWarpgroupConfiguration<true, 1, begins>>;
  return warpgroups == 2 ? tensor_core_block<TensorCoreWarpgroupConfiguration<false, 2, begins>>
                         : tensor_core_block<TensorCoreWarpgroupConfiguration<false, 1, begins>>;
}

template <int Width, bool BeginsWithWords>
TensorCoreKernel unrolled_kernel(bool split) {
  return split ? tensor_core_unrolled_block<
                     TensorCoreUnrolledWarpgroupConfiguration<true, Width, BeginsWithWords>>
               : tensor_core_unrolled_block<
                     TensorCoreUnrolledWarpgroupConfiguration<false, Width, BeginsWithWords>>;
}

}  // namespace

TensorCoreKernel tensor_core_warpgroup_kernel(bool split, int warpgroups, bool begins_with_words) {
  return begins_with_words ? warpgroup_kernel<true>(split, warpgroups)
                           : warpgroup_kernel<false>(split, warpgroups);
}

TensorCoreKernel tensor_core_unrolled_warpgroup_kernel(bool split, int tile_width,
                                                       bool begins_with_words) {
  if (tile_width == 128) {
    return begins_with_words ? unrolled_kernel<128, true>(split)
                             : unrolled_kernel<128, false>(split);
  }
  return begins_with_words ? unrolled_kernel<64, true>(split) : unrolled_kernel<64, false>(split);
}

}  // namespace fusedconv::detail
