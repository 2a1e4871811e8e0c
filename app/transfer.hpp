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
  automatic,
  independent,  ///< each rank writes for itself, through HDF5
  mapped,       ///< threads of each rank copy to pages of the file that they map
};

/// How ranks write.
struct Writing {
  Transfer transfer = Transfer::automatic;
  int threads = 1;  ///< that a rank may copy with
};

/// "auto", "independent", "mapped"
std::string to_string(Transfer transfer);
std::vector<std::string> transfer_names();
/// \throws InvalidArgument if there is none of this name
Transfer transfer_from_string(const std::string& name);

/// Threads of a rank that may copy without taking processors from other ranks, the same on all.
int copying_threads(const Communicator& communicator);

/// How to write to a file: never `automatic`.
///
/// Linux lets one process at a time write to a file, which limits ranks that share one to what one
/// of them writes to memory. Pages of a file can be filled by many at a time, at twice the
/// processor time: this pays on a tmpfs, where nothing else limits, and where processors are to
/// spare.
/// \param wanted      what the user asked for
/// \param path        of the file, which exists
/// \param image_bytes of an image, as it is stored
Transfer transfer_to(const Writing& wanted, const std::string& path, std::int64_t image_bytes);

}  // namespace fusedconv::app

#endif
