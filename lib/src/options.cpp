// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <fusedconv/error.hpp>
#include <fusedconv/options.hpp>
#include <string>
#include <utility>

namespace fusedconv {
namespace {

constexpr std::array<std::pair<Algorithm, std::string_view>, 5> algorithm_names{{
    {Algorithm::automatic, "auto"},
    {Algorithm::direct, "direct"},
    {Algorithm::winograd, "winograd"},
    {Algorithm::tensor_core, "tensor_core"},
    {Algorithm::gemm, "gemm"},
}};

constexpr std::array<std::pair<Precision, std::string_view>, 2> precision_names{{
    {Precision::fp32, "fp32"},
    {Precision::tf32, "tf32"},
}};

template <class Names>
auto from_string(const char* option, const Names& names, std::string_view name) {
  std::string known_names;
  for (const auto& [value, known] : names) {
    if (known == name) return value;
    known_names += (known_names.empty() ? "" : ", ") + std::string(known);
  }
  throw InvalidArgument(option, "one of " + known_names, "'" + std::string(name) + "'");
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  for (const auto& [value, name] : algorithm_names) {
    if (value == algorithm) return name;
  }
  return "unknown";
}

std::string_view to_string(Precision precision) {
  for (const auto& [value, name] : precision_names) {
    if (value == precision) return name;
  }
  return "unknown";
}

Algorithm algorithm_from_string(std::string_view name) {
  return from_string("algorithm", algorithm_names, name);
}

Precision precision_from_string(std::string_view name) {
  return from_string("precision", precision_names, name);
}

bool is_available([[maybe_unused]] Algorithm algorithm) {
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
  return true;
#else
  return algorithm != Algorithm::gemm;
#endif
}

}  // namespace fusedconv
