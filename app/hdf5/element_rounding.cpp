// SPDX-License-Identifier: Apache-2.0
#include <fusedconv/float16.hpp>

#include "element_type.hpp"

namespace fusedconv::app::hdf5 {

void to_float16(const float* values, std::int64_t count, std::uint16_t* bits) {
  for (std::int64_t i = 0; i < count; ++i) bits[i] = fusedconv::to_float16(values[i]).bits;
}

void to_bfloat16(const float* values, std::int64_t count, std::uint16_t* bits) {
  for (std::int64_t i = 0; i < count; ++i) bits[i] = fusedconv::to_bfloat16(values[i]).bits;
}

float rounded(float value, ElementType type) {
  switch (type) {
    case ElementType::float16:
      return to_float32(fusedconv::to_float16(value));
    case ElementType::bfloat16:
      return to_float32(fusedconv::to_bfloat16(value));
    default:
      return value;
  }
}

}  // namespace fusedconv::app::hdf5
