// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TUNED_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TUNED_HPP

namespace fusedconv::detail {

/// The convolution made for one execution space alone: void, or what the files of that execution
/// space specialise this with.
template <class ExecutionSpace>
struct TunedConvolution {
  using type = void;
};

}  // namespace fusedconv::detail

#endif
