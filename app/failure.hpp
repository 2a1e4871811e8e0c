// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_FAILURE_HPP
#define FUSEDCONV_APP_FAILURE_HPP

#include <string_view>

#include "communicator.hpp"

namespace fusedconv::app {

/// Writes "fusedconv_app: SENTENCE" and a line feed to standard error, at once and without asking
/// for memory.
void say(std::string_view sentence) noexcept;

/// What keeps a rank from going on: told, and the end of all ranks with failed_while_running. HDF5
/// does not survive closing a file that it could not write to, so nothing is closed; what is
/// complete is on disk. \param advice follows the sentence
[[noreturn]] void fail(const Communicator& communicator, std::string_view sentence,
                       std::string_view advice = {}) noexcept;

/// From now on std::terminate() and abort() end all ranks like fail(): libraries end a program so
/// where they cannot throw, as Kokkos does where a GPU is lost or where it finds no memory in a
/// destructor. Called after MPI_Init, which may have handlers of its own.
void handle_abnormal_ends(const Communicator& communicator);

}  // namespace fusedconv::app

#endif
