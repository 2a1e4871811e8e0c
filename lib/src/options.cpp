// SPDX-License-Identifier: Apache-2.0
#include <fusedconv/options.hpp>

#include "names.hpp"

namespace fusedconv {
namespace {

constexpr detail::Names<Algorithm, 5> algorithm_names{{
    {Algorithm::automatic, "auto"},
    {Algorithm::direct, "direct"},
    {Algorithm::winograd, "winograd"},
    {Algorithm::tensor_core, "tensor_core"},
    {Algorithm::gemm, "gemm"},
}};

constexpr detail::Names<Precision, 2> precision_names{{
    {Precision::fp32, "fp32"},
    {Precision::tf32, "tf32"},
}};

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  return detail::name_of(algorithm_names, algorithm);
}

std::string_view to_string(Precision precision) {
  return detail::name_of(precision_names, precision);
}

Algorithm algorithm_from_string(std::string_view name) {
  return detail::value_of("algorithm", algorithm_names, name);
}

Precision precision_from_string(std::string_view name) {
  return detail::value_of("precision", precision_names, name);
}

bool is_available([[maybe_unused]] Algorithm algorithm) {
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
  return true;
#else
  return algorithm != Algorithm::gemm;
#endif
}

}  // namespace fusedconv
