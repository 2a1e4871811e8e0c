// SPDX-License-Identifier: Apache-2.0
// First, so that the layer knows of it.
#include "../convolution/tensor_core.hpp"
#include "../layer_implementation.hpp"

template class fusedconv::Layer<Kokkos::Cuda>;
