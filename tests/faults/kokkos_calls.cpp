// SPDX-License-Identifier: Apache-2.0
//
// A Kokkos tool (KOKKOS_TOOLS_LIBS), whose functions are called where Kokkos allocates, launches,
// copies and waits, in whatever space. Those of Kokkos's C interface have these names.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "fault.hpp"
#include "kokkos_tool.hpp"

namespace {

using namespace fusedconv::test;

Effect effect_here() {
  const Effect effect = effect_at(Calls::kokkos);
  if (effect == Effect::kills) die();
  if (effect == Effect::aborts) {
    std::fputs("deviceSynchronize() error: an illegal memory access was encountered\n", stderr);
    std::abort();
  }
  return effect;
}

void fail_where_chosen() {
  if (effect_here() == Effect::fails) {
    throw std::runtime_error("deviceSynchronize() error: unspecified launch failure");
  }
}

}  // namespace

extern "C" {

/// No fences but those of the program.
void kokkosp_request_tool_settings(std::uint32_t, ToolSettings* settings) {
  settings->requires_global_fencing = false;
}

void kokkosp_allocate_data(SpaceHandle, const char*, const void*, std::uint64_t) {
  if (effect_here() == Effect::fails) throw std::bad_alloc();
}

void kokkosp_begin_parallel_for(const char*, std::uint32_t, std::uint64_t*) { fail_where_chosen(); }
void kokkosp_begin_parallel_reduce(const char*, std::uint32_t, std::uint64_t*) {
  fail_where_chosen();
}
void kokkosp_begin_parallel_scan(const char*, std::uint32_t, std::uint64_t*) {
  fail_where_chosen();
}
void kokkosp_begin_fence(const char*, std::uint32_t, std::uint64_t*) { fail_where_chosen(); }
void kokkosp_begin_deep_copy(SpaceHandle, const char*, const void*, SpaceHandle, const char*,
                             const void*, std::uint64_t) {
  fail_where_chosen();
}
}
