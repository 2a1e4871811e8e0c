// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_ELEMENT_TYPE_HPP
#define FUSEDCONV_ELEMENT_TYPE_HPP

#include <string_view>

namespace fusedconv {

/// How the elements of a tensor are stored; arithmetic is float32 with all of them.
enum class ElementType {
  float32,
  float16,   ///< IEEE 754 binary16, `torch.float16`
  bfloat16,  ///< the upper half of a float32, `torch.bfloat16`
};

/// "float32", "float16", "bfloat16".
std::string_view to_string(ElementType type);

}  // namespace fusedconv

#endif
