// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_COMMAND_LINE_HPP
#define FUSEDCONV_APP_COMMAND_LINE_HPP

#include <cstdint>
#include <fusedconv/activation.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "exit_code.hpp"
#include "hdf5/compression.hpp"
#include "hdf5/file_access.hpp"
#include "hdf5/output_file.hpp"
#include "hdf5/permissions.hpp"
#include "transfer.hpp"

namespace fusedconv::app {

/// What the user asked for.
struct CommandLine {
  std::vector<std::string> inputs;   ///< files or patterns; none only where outputs are checked
  std::vector<std::string> checked;  ///< outputs to check instead of computing any
  std::string output;            ///< empty: default_output() of the input, or in output_directory
  std::string output_directory;  ///< empty where there is one input
  std::string parameters;        ///< empty: each input its own
  std::string backend;           ///< a name in backend_names()
  std::string algorithm;         ///< a name that algorithm_from_string() knows
  std::string precision;         ///< a name that precision_from_string() knows
  std::optional<Activation> activation;  ///< of files that do not tell theirs
  hdf5::Storage storage;                 ///< of outputs
  hdf5::Compression compression;
  hdf5::Hints hints;              ///< to MPI-IO
  hdf5::Permissions permissions;  ///< of what is read
  Transfer transfer = Transfer::automatic;
  std::string reference;    ///< empty: nothing to verify; with several inputs a directory
  double tolerance = 1e-5;  ///< largest relative L2 error that passes
  std::string report;       ///< empty: no JSON
  std::int64_t chunk = 0;   ///< images of a piece; 0: as memory allows
  std::int64_t memory = 0;  ///< bytes of host memory a rank may take; 0: a share of what is free
  std::int64_t device_memory = 0;  ///< bytes of device memory a rank may take; 0: likewise
  std::int64_t repeat = 1;         ///< computations of each piece
  double log_interval = 60;  ///< seconds between two lines of progress where there is no terminal
  bool resume = false;       ///< whether to go on with unfinished outputs
  bool dry_run = false;
  bool quiet = false;
};

/// What to print instead of doing anything, and how to exit then.
struct EarlyExit {
  ExitCode code = done;
  std::string text;
};

/// Parses without printing, the same on every rank.
std::variant<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv);

}  // namespace fusedconv::app

#endif
