// SPDX-License-Identifier: Apache-2.0
#include "element_type.hpp"

#include <fusedconv/error.hpp>

namespace fusedconv::app::hdf5 {

namespace {

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

}  // namespace fusedconv::app::hdf5
