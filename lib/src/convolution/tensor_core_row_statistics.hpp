// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_ROW_STATISTICS_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_ROW_STATISTICS_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "tensor_core_task.hpp"

/// The statistics of an image's groups as words that callers add up: the kernel's, where nobody
/// counts arrivals, but for the bit that says of a sum that it is not a number. A word counts the
/// blocks of rows that say so.
namespace fusedconv::detail {

inline constexpr int tensor_core_row_statistics_words = tensor_core_statistics_words + 1;

/// Item: group.
struct AddTensorCoreStatistics {
  const unsigned long long* statistics;
  std::uint64_t* words;

  KOKKOS_FUNCTION void operator()(const std::int64_t group) const {
    const unsigned long long* const from = statistics + group * tensor_core_statistics_words;
    std::uint64_t* const to = words + group * tensor_core_row_statistics_words;
    for (int i = 0; i < tensor_core_statistics_words; ++i) {
      to[i] += from[i] & ~tensor_core_not_a_number;
    }
    if ((from[0] & tensor_core_not_a_number) != 0) ++to[tensor_core_statistics_words];
  }
};

/// The way back. Item: group.
struct TakeTensorCoreStatistics {
  const std::uint64_t* words;
  unsigned long long* statistics;

  KOKKOS_FUNCTION void operator()(const std::int64_t group) const {
    const std::uint64_t* const from = words + group * tensor_core_row_statistics_words;
    unsigned long long* const to = statistics + group * tensor_core_statistics_words;
    for (int i = 0; i < tensor_core_statistics_words; ++i) to[i] = from[i];
    if (from[tensor_core_statistics_words] != 0) to[0] |= tensor_core_not_a_number;
  }
};

}  // namespace fusedconv::detail

#endif
