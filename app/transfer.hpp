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
  independent,  ///< each rank writes for itself, through HDF5
  mapped,       ///< threads of each rank copy to pages of the file that they map
};

/// How ranks write.
struct Writing {
  Transfer transfer = Transfer::independent;
  int threads = 1;  ///< that a rank may copy with
};

/// "independent", "mapped"
std::string to_string(Transfer transfer);
std::vector<std::string> transfer_names();
/// \throws InvalidArgument if there is none of this name
Transfer transfer_from_string(const std::string& name);

/// Threads of a rank that may copy without taking processors from other ranks, the same on all.
int copying_threads(const Communicator& communicator);

/// How this processor can write what is to be written so.
///
/// Linux lets one process at a time write to a file, which limits ranks that share one to what one
/// of them writes to memory. Pages of a file can be filled by many at a time, at twice the
/// processor time, which where it was measured took longer.
Transfer possible_transfer(Transfer wanted);

}  // namespace fusedconv::app

#endif
