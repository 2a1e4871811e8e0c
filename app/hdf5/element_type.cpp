// SPDX-License-Identifier: Apache-2.0
#include "element_type.hpp"

#include <algorithm>
#include <bit>
#include <fusedconv/error.hpp>

namespace fusedconv::app::hdf5 {

namespace {

constexpr std::uint32_t infinity = 0x7f800000;

/// All cases are computed and one is chosen, without a branch, so that compilers vectorise it.
std::uint16_t float16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const std::uint32_t magnitude = bits & 0x7fffffff;

  // The exponent's bias becomes 15, and half a unit of the last of 10 bits is added, less one where
  // the value is even; what overflows carries into the exponent.
  const std::uint32_t odd = magnitude >> 13 & 1;
  const std::uint32_t normal = (magnitude - (std::uint32_t{112} << 23) + 0xfff + odd) >> 13;
  // The unit in the last place of 0.5 is 2^-24, as is that of a subnormal float16: the addition
  // rounds.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
      std::bit_cast<std::uint32_t>(0.5F);
  const std::uint32_t nan = 0x7e00 | (magnitude >> 13 & 0x1ff);

  std::uint32_t result = magnitude < std::uint32_t{113} << 23 ? subnormal : normal;
  result = magnitude >= std::uint32_t{143} << 23 ? 0x7c00 : result;
  result = magnitude > infinity ? nan : result;
  return static_cast<std::uint16_t>(sign | result);
}

float float16_value(std::uint16_t bits) {
  // The exponent's bias is put right by the product, also for subnormals; infinity and NaN keep the
  // largest exponent.
  const std::uint32_t magnitude = (bits & 0x7fffU) << 13;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112F;
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t value =
      magnitude >= 0x0f800000 ? magnitude | infinity : std::bit_cast<std::uint32_t>(scaled);
  return std::bit_cast<float>(value | sign);
}

std::uint16_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const std::uint32_t nan = bits >> 16 | 0x40;
  return static_cast<std::uint16_t>((bits & 0x7fffffff) > infinity ? nan : rounded);
}

/// \param sign,exponent first bit of each
Datatype float_of_16_bits(const char* name, std::size_t exponent, std::size_t bias) {
  Datatype type(check(H5Tcopy(H5T_IEEE_F32LE), name, "make the type"), name);
  check(H5Tset_fields(type.id(), 15, exponent, 15 - exponent, 0, exponent), name, "set its fields");
  check(H5Tset_size(type.id(), 2), name, "set its size");
  check(H5Tset_ebias(type.id(), bias), name, "set its exponent's bias");
  return type;
}

}  // namespace

std::string to_string(ElementType type) {
  switch (type) {
    case ElementType::float16:
      return "float16";
    case ElementType::bfloat16:
      return "bfloat16";
    default:
      return "float32";
  }
}

std::vector<std::string> element_type_names() { return {"float32", "float16", "bfloat16"}; }

ElementType element_type_from_string(const std::string& name) {
  for (const ElementType type :
       {ElementType::float32, ElementType::float16, ElementType::bfloat16}) {
    if (to_string(type) == name) return type;
  }
  throw InvalidArgument("output type", "float32, float16 or bfloat16", name);
}

std::int64_t element_bytes(ElementType type) { return type == ElementType::float32 ? 4 : 2; }

Datatype stored_type(ElementType type) {
  switch (type) {
    case ElementType::float16:
      return float_of_16_bits("float16", 10, 15);
    case ElementType::bfloat16:
      return float_of_16_bits("bfloat16", 7, 127);
    default:
      return Datatype(check(H5Tcopy(H5T_IEEE_F32LE), "float32", "make the type"), "float32");
  }
}

void to_float16(const float* values, std::int64_t count, std::uint16_t* bits) {
  for (std::int64_t i = 0; i < count; ++i) bits[i] = float16_bits(values[i]);
}

void to_bfloat16(const float* values, std::int64_t count, std::uint16_t* bits) {
  for (std::int64_t i = 0; i < count; ++i) bits[i] = bfloat16_bits(values[i]);
}

float rounded(float value, ElementType type) {
  switch (type) {
    case ElementType::float16:
      return float16_value(float16_bits(value));
    case ElementType::bfloat16:
      return std::bit_cast<float>(std::uint32_t{bfloat16_bits(value)} << 16);
    default:
      return value;
  }
}

}  // namespace fusedconv::app::hdf5
