// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace fusedconv::app {

MemoryBytes chunk_memory(const Shape& shape, std::int64_t workspace_bytes, bool own_memory) {
  const std::int64_t images =
      (shape.input_size() + shape.output_size()) * static_cast<std::int64_t>(sizeof(float));
  if (own_memory) return {images, images + workspace_bytes};
  return {images + workspace_bytes, 0};
}

std::int64_t chunk_that_fits(const MemoryBytes& per_image, std::int64_t images,
                             const MemoryBytes& available) {
  std::int64_t fits = std::min(available.host, most_bytes_of_a_chunk) / per_image.host;
  if (per_image.device > 0) fits = std::min(fits, available.device / per_image.device);
  return std::max<std::int64_t>(1, std::min(fits, images));
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

}  // namespace fusedconv::app
