// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_TRANSFER_HPP
#define FUSEDCONV_APP_TRANSFER_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace fusedconv::app {

class Communicator;

/// How rows get into an unfinished output.
enum class Transfer {
  automatic,    ///< mapped to a file in memory where that is faster, else independent
  independent,  ///< each rank writes for itself, through HDF5
  mapped,       ///< threads of each rank copy to pages of the file that they map
};

/// How ranks write.
struct Writing {
  Transfer transfer = Transfer::automatic;
  int threads = 1;           ///< that a rank may copy with
  bool is_computing = true;  ///< whether they compute as well, rather than a GPU
};

/// "auto", "independent", "mapped"
std::string to_string(Transfer transfer);
std::vector<std::string> transfer_names();
/// \throws InvalidArgument if there is none of this name
Transfer transfer_from_string(const std::string& name);

/// Threads of a rank that may copy without taking processors from other ranks, the same on all.
int copying_threads(const Communicator& communicator);

/// How a file is written where it is to be written so: what automatic comes to, and what this
/// processor can.
///
/// Linux lets one thread at a time write to a file, which limits a tmpfs to what one processor
/// copies. Pages of a file can be filled by many at a time, at twice the processor time: with four
/// threads that is faster, with fewer or with threads that compute it is not, but always where
/// pages are huge. Disks are slower than one processor. \param path an existing file
Transfer transfer_to(const std::string& path, const Writing& wanted);

}  // namespace fusedconv::app

#endif
