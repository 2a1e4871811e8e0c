// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_FUZZ_FILE_MUTATIONS_HPP
#define FUSEDCONV_TESTS_FUZZ_FILE_MUTATIONS_HPP

#include <fuzzer/FuzzedDataProvider.h>

#include <string>

/// Files that are valid but for what a fuzzer has decided, in terms of HDF5's objects.
namespace fusedconv::fuzz {

/// A file that no reader may open unless it is allowed to.
std::string forbidden_file(const std::string& directory);

/// Writes a small input with a valid `output` beside it, and spoils it: each of the decisions
/// replaces, adds or removes a dataset, group, link or attribute.
void write_mutated(const std::string& path, const std::string& directory,
                   FuzzedDataProvider& decisions);

/// Overwrites single bytes.
void flip_bytes(const std::string& path, FuzzedDataProvider& decisions);

}  // namespace fusedconv::fuzz

#endif
