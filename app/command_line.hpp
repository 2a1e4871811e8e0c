// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_COMMAND_LINE_HPP
#define FUSEDCONV_APP_COMMAND_LINE_HPP

#include <cstdint>
#include <string>
#include <variant>

#include "exit_code.hpp"

namespace fusedconv::app {

/// What the user asked for.
struct CommandLine {
  std::string input;
  std::string output;       ///< never empty: default_output() where none was given
  std::string parameters;   ///< empty: the input
  std::string backend;      ///< a name in backend_names()
  std::string algorithm;    ///< a name that algorithm_from_string() knows
  std::string precision;    ///< a name that precision_from_string() knows
  std::string reference;    ///< empty: nothing to verify
  double tolerance = 1e-5;  ///< largest relative L2 error that passes
  std::string report;       ///< empty: no JSON
  std::int64_t chunk = 0;   ///< images of a piece; 0: as memory allows
  std::int64_t memory = 0;  ///< bytes of host memory a rank may take; 0: a share of what is free
  std::int64_t device_memory = 0;  ///< bytes of device memory a rank may take; 0: likewise
  std::int64_t repeat = 1;         ///< computations of each piece
  double log_interval = 60;  ///< seconds between two lines of progress where there is no terminal
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

/// "x.h5" -> "x_output.h5"; a name that does not end in ".h5" gets "_output.h5" appended.
std::string default_output(const std::string& input);

}  // namespace fusedconv::app

#endif
