// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_EXECUTION_SPACES_HPP
#define FUSEDCONV_EXECUTION_SPACES_HPP

#include <Kokkos_Core.hpp>
#include <tuple>

namespace fusedconv {

namespace detail {
template <class... Tuples>
using Concatenated = decltype(std::tuple_cat(std::declval<Tuples>()...));
}  // namespace detail

/// The execution spaces that Kokkos was built with, devices first: Layer is instantiated for each.
using ExecutionSpaces = detail::Concatenated<
#ifdef KOKKOS_ENABLE_CUDA
    std::tuple<Kokkos::Cuda>,
#endif
#ifdef KOKKOS_ENABLE_HIP
    std::tuple<Kokkos::HIP>,
#endif
#ifdef KOKKOS_ENABLE_SYCL
    std::tuple<Kokkos::SYCL>,
#endif
#ifdef KOKKOS_ENABLE_OPENMP
    std::tuple<Kokkos::OpenMP>,
#endif
#ifdef KOKKOS_ENABLE_THREADS
    std::tuple<Kokkos::Threads>,
#endif
#ifdef KOKKOS_ENABLE_SERIAL
    std::tuple<Kokkos::Serial>,
#endif
    std::tuple<>>;

}  // namespace fusedconv

#endif
