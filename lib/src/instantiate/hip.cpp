// SPDX-License-Identifier: Apache-2.0
#include "../layer_implementation.hpp"

template class fusedconv::Layer<Kokkos::HIP>;
