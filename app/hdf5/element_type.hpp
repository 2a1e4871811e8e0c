// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_ELEMENT_TYPE_HPP
#define FUSEDCONV_APP_HDF5_ELEMENT_TYPE_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "handle.hpp"

namespace fusedconv::app::hdf5 {

/// How elements of an output are stored, all little-endian.
enum class ElementType {
  float32,
  float16,   ///< IEEE 754 binary16: 5 bits of exponent, 10 of significand
  bfloat16,  ///< the upper half of a float32: 8 bits of exponent, 7 of significand
};

/// "float32", "float16", "bfloat16"
std::string to_string(ElementType type);
std::vector<std::string> element_type_names();
/// \throws InvalidArgument if there is none of this name
ElementType element_type_from_string(const std::string& name);

/// Bytes of an element.
std::int64_t element_bytes(ElementType type);

/// As it is stored. HDF5 has no 16-bit types of its own: these are floating-point types whose
/// fields are set, which HDF5, h5py (float16) and h5dump read as numbers.
Datatype stored_type(ElementType type);

/// The nearest float16, ties to even: beyond 65504 infinity, below 2^-14 subnormal. NaN stays NaN.
void to_float16(const float* values, std::int64_t count, std::uint16_t* bits);
/// The nearest bfloat16, ties to even. NaN stays NaN.
void to_bfloat16(const float* values, std::int64_t count, std::uint16_t* bits);

/// What is read where this value was stored.
float rounded(float value, ElementType type);

}  // namespace fusedconv::app::hdf5

#endif
