// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_FAULTS_FAULT_HPP
#define FUSEDCONV_TESTS_FAULTS_FAULT_HPP

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

/// Loaded before the C and C++ libraries (LD_PRELOAD), lets a fault happen at a chosen call of
/// fusedconv_app, which makes moments that a test cannot hit by waiting exact and repeatable.
///
/// FUSEDCONV_TEST_FAULT=FAULT:CALL:PATH[:RANK] acts at call number CALL (from 1), in the process of
/// this rank, or in every process. Calls on files are counted where the file's path contains PATH:
/// - kill, a change: writes half of what is to be written, and ends the process by SIGKILL
/// - signal-NUMBER, a change: sends this signal to the process, and goes on
/// - full, a change, and all that follow: fails because the disk is full
/// - full-at-byte: the disk is full when CALL bytes are written; a write that begins before ends
///   there
/// - fail, a read, and all that follow: fails
/// - fail-once, a read: fails
/// - kill-reading, a read: ends the process by SIGKILL
/// - shrink, a read: cuts the file to half its size, and goes on
/// Changes are writes, flushes, changes of a size, renaming and removing. With an empty PATH these
/// are counted between MPI_Init and MPI_Finalize:
/// - allocation, a call of operator new: throws
/// - allocations, likewise, and all that follow
/// - hdf5, a call of HDF5's by the application: fails without doing anything
/// - kokkos, an allocation, kernel, copy or fence of Kokkos's (a device's error): throws, and so do
///   all that follow, as on a GPU that no longer works
/// - kokkos-aborts, likewise: ends the process by abort(), as Kokkos does where a GPU is lost
/// - kill-computing, likewise: ends the process by SIGKILL
///
/// FUSEDCONV_TEST_FAULT_FOUND=FILE: what came of it, as "happened", or, when MPI has ended without
/// it, as the number of calls that there were.
namespace fusedconv::test {

enum class Calls { changes, reads, allocations, hdf5, kokkos };

enum class Effect { none, fails, is_full, kills, signals, shrinks, aborts };

/// Counts a call; of files on the file of this path.
/// \param bytes that it writes
/// \return what happens at it
Effect effect_at(Calls calls, const char* path = "", long bytes = 0);

/// Of `full-at-byte`: bytes for which there is room before a write of which effect_at() has said
/// that the disk is full.
long room();

/// Of `signal-NUMBER`.
int signal_number();

/// Ends the process by SIGKILL.
[[noreturn]] void die();

/// The function that this library's own stands before.
template <class Function>
Function* next(const char* name) {
  void* const symbol = dlsym(RTLD_NEXT, name);
  if (symbol == nullptr) std::abort();
  Function* function = nullptr;
  std::memcpy(&function, &symbol, sizeof function);
  return function;
}

}  // namespace fusedconv::test

#endif
