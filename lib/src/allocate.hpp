// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_ALLOCATE_HPP
#define FUSEDCONV_SRC_ALLOCATE_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <exception>
#include <fusedconv/error.hpp>
#include <string>

namespace fusedconv::detail {

/// An uninitialised View labelled "fusedconv::WHAT_FOR".
/// \throws OutOfMemory naming what it was for and its bytes
template <class ViewType, class ExecutionSpace, class... Extents>
ViewType allocate(const ExecutionSpace& exec, const std::string& what_for, Extents... extents) {
  try {
    return ViewType(Kokkos::view_alloc(exec, Kokkos::WithoutInitializing, "fusedconv::" + what_for),
                    extents...);
  } catch (const std::exception&) {
    // What Kokkos throws here differs between its versions; that it throws has one reason.
    throw OutOfMemory(what_for, ViewType::memory_space::name(),
                      static_cast<std::int64_t>(ViewType::required_allocation_size(extents...)));
  }
}

}  // namespace fusedconv::detail

#endif
