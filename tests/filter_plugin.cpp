// SPDX-License-Identifier: Apache-2.0
//
// Stands for the filter zstd, which passes bytes on as they are, and tells that it was loaded by
// making the file that FUSEDCONV_TEST_PLUGIN_LOADED names.

#include <H5PLextern.h>

#include <cstddef>
#include <cstdlib>
#include <fstream>

namespace {

struct Told {
  Told() {
    if (const char* name = std::getenv("FUSEDCONV_TEST_PLUGIN_LOADED")) {
      std::ofstream(name) << "yes";
    }
  }
};

[[maybe_unused]] const Told told;

std::size_t pass(unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) {
  return bytes;
}

const H5Z_class2_t filter{H5Z_CLASS_T_VERS, 32015, 1, 1, "zstd", nullptr, nullptr, pass};

}  // namespace

extern "C" {

H5PL_type_t H5PLget_plugin_type() { return H5PL_TYPE_FILTER; }

const void* H5PLget_plugin_info() { return &filter; }
}
