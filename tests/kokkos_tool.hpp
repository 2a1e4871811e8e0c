// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_KOKKOS_TOOL_HPP
#define FUSEDCONV_TESTS_KOKKOS_TOOL_HPP

/// What the functions of a Kokkos tool are called with, as Kokkos's C interface lays it out.
extern "C" {

struct SpaceHandle {
  char name[64];
};

struct ToolSettings {
  bool requires_global_fencing;
  bool padding[255];
};
}

#endif
