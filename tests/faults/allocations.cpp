// SPDX-License-Identifier: Apache-2.0
//
// operator new, from which the application and Kokkos's host spaces take their memory. The other
// forms call these two.
#include <new>

#include "fault.hpp"

namespace {

void fail_where_chosen() {
  using namespace fusedconv::test;
  if (effect_at(Calls::allocations) == Effect::fails) throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) {
  static auto* const real = fusedconv::test::next<void*(std::size_t)>("_Znwm");
  fail_where_chosen();
  return real(size);
}

void* operator new(std::size_t size, std::align_val_t alignment) {
  static auto* const real =
      fusedconv::test::next<void*(std::size_t, std::align_val_t)>("_ZnwmSt11align_val_t");
  fail_where_chosen();
  return real(size, alignment);
}
