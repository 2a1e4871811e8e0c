// SPDX-License-Identifier: Apache-2.0
#include <fusedconv/element_type.hpp>

#include "names.hpp"

namespace fusedconv {

std::string_view to_string(ElementType type) {
  constexpr detail::Names<ElementType, 3> names{{
      {ElementType::float32, "float32"},
      {ElementType::float16, "float16"},
      {ElementType::bfloat16, "bfloat16"},
  }};
  return detail::name_of(names, type);
}

}  // namespace fusedconv
