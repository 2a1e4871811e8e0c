// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <fusedconv/error.hpp>
#include <fusedconv/options.hpp>
#include <string>
#include <utility>

namespace fusedconv {
namespace {

constexpr std::array<std::pair<Algorithm, std::string_view>, 4> algorithm_names{{
    {Algorithm::automatic, "auto"},
    {Algorithm::direct, "direct"},
    {Algorithm::winograd, "winograd"},
    {Algorithm::gemm, "gemm"},
}};

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  for (const auto& [value, name] : algorithm_names) {
    if (value == algorithm) return name;
  }
  return "unknown";
}

std::string_view to_string(Precision) { return "fp32"; }

Algorithm algorithm_from_string(std::string_view name) {
  std::string names;
  for (const auto& [value, known] : algorithm_names) {
    if (known == name) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw InvalidArgument("algorithm", "one of " + names, "'" + std::string(name) + "'");
}

bool is_available([[maybe_unused]] Algorithm algorithm) {
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
  return true;
#else
  return algorithm != Algorithm::gemm;
#endif
}

}  // namespace fusedconv
