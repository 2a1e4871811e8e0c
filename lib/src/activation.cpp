// SPDX-License-Identifier: Apache-2.0
#include <fusedconv/activation.hpp>

#include "names.hpp"

namespace fusedconv {
namespace {

constexpr detail::Names<Activation, 7> activation_names{{
    {Activation::sigmoid, "sigmoid"},
    {Activation::relu, "relu"},
    {Activation::silu, "silu"},
    {Activation::gelu, "gelu"},
    {Activation::gelu_tanh, "gelu_tanh"},
    {Activation::tanh, "tanh"},
    {Activation::identity, "identity"},
}};

}  // namespace

std::string_view to_string(Activation activation) {
  return detail::name_of(activation_names, activation);
}

Activation activation_from_string(std::string_view name) {
  return detail::value_of("activation", activation_names, name);
}

}  // namespace fusedconv
