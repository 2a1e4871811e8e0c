// SPDX-License-Identifier: Apache-2.0
// A Kokkos tool, loaded by KOKKOS_TOOLS_LIBS: writes a line "KIND NAME" for each event in the
// region FUSEDCONV_TEST_REGION to the file FUSEDCONV_TEST_EVENTS with the process's number at its
// end. Its functions are those of Kokkos's C interface.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

#include "kokkos_tool.hpp"

namespace {

std::ofstream events;
std::string watched_region;
int depth = 0;  // of regions, from the watched one on

void record(const char* kind, const char* name) {
  if (depth > 0) events << kind << " " << name << "\n";
}

}  // namespace

extern "C" {

/// No fences but those of the program.
void kokkosp_request_tool_settings(std::uint32_t, ToolSettings* settings) {
  settings->requires_global_fencing = false;
}

void kokkosp_init_library(int, std::uint64_t, std::uint32_t, void*) {
  watched_region = std::getenv("FUSEDCONV_TEST_REGION");
  events.open(std::string(std::getenv("FUSEDCONV_TEST_EVENTS")) + std::to_string(getpid()));
}
void kokkosp_finalize_library() { events.close(); }

void kokkosp_push_profile_region(const char* name) {
  record("region", name);
  if (depth > 0 || name == watched_region) ++depth;
}
void kokkosp_pop_profile_region() {
  if (depth > 0) --depth;
}

void kokkosp_begin_parallel_for(const char* name, std::uint32_t, std::uint64_t*) {
  record("kernel", name);
}
void kokkosp_begin_parallel_reduce(const char* name, std::uint32_t, std::uint64_t*) {
  record("kernel", name);
}
void kokkosp_begin_parallel_scan(const char* name, std::uint32_t, std::uint64_t*) {
  record("kernel", name);
}
void kokkosp_begin_fence(const char* name, std::uint32_t, std::uint64_t*) { record("fence", name); }
void kokkosp_allocate_data(SpaceHandle, const char* label, const void*, std::uint64_t) {
  record("allocation", label);
}
void kokkosp_begin_deep_copy(SpaceHandle, const char* destination, const void*, SpaceHandle,
                             const char*, const void*, std::uint64_t) {
  record("copy", destination);
}
}
