// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_BACKEND_HPP
#define FUSEDCONV_APP_BACKEND_HPP

#include <fusedconv/execution_spaces.hpp>
#include <string>
#include <tuple>
#include <type_traits>

#include "backend_names.hpp"

namespace fusedconv::app {

/// The backend's name on the command line: `Space::name()` in lower case ("cuda", "openmp").
std::string backend_name(const char* execution_space_name);

namespace detail {

template <class Function, class Space, class... Rest>
decltype(auto) dispatch_in_order(const std::string& backend, Function& function,
                                 std::type_identity<std::tuple<Space, Rest...>>) {
  if constexpr (sizeof...(Rest) > 0) {
    if (backend != backend_name(Space::name())) {
      return dispatch_in_order(backend, function, std::type_identity<std::tuple<Rest...>>{});
    }
  }
  return function(std::type_identity<Space>{});
}

}  // namespace detail

/// Calls `function(std::type_identity<Space>{})` with the execution space that `name` stands for:
///
///     dispatch_backend("auto", [&](auto tag) { run<typename decltype(tag)::type>(); });
///
/// \return what the function returns, of the same type for every space
/// \throws InvalidArgument as resolve_backend
template <class Function>
decltype(auto) dispatch_backend(const std::string& name, Function&& function) {
  return detail::dispatch_in_order(resolve_backend(name), function,
                                   std::type_identity<ExecutionSpaces>{});
}

}  // namespace fusedconv::app

#endif
