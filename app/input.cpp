// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include <exception>
#include <filesystem>
#include <system_error>
#include <type_traits>
#include <vector>

#include "hdf5/checked_open.hpp"
#include "hdf5/output_file.hpp"
#include "verify.hpp"

namespace fusedconv::app {

namespace {

namespace fs = std::filesystem;

/// Through links of either kind, and whether or not the files exist yet.
bool same_file(const std::string& one, const std::string& other) {
  std::error_code no_such_file;
  return fs::equivalent(one, other, no_such_file) ||
         fs::weakly_canonical(one) == fs::weakly_canonical(other);
}

void require_other_file(const std::string& written, const std::string& used,
                        const std::string& what) {
  if (!used.empty() && same_file(written, used)) {
    throw hdf5::InvalidFile(written, "file to write", "another file than " + what, "the same file");
  }
}

void require_writable_place(const std::string& written) {
  const fs::path directory = fs::absolute(written).parent_path();
  if (!fs::is_directory(directory)) {
    throw hdf5::InvalidFile(written, "file to write", "an existing directory to write to",
                            "no directory " + directory.string());
  }
  if (fs::is_directory(written)) {
    throw hdf5::InvalidFile(written, "file to write", "the name of a file", "a directory");
  }
}

/// No file that the job reads may be one that it writes.
void check_written_files(const CommandLine& line) {
  std::vector<std::string> written{line.output, hdf5::unfinished_name(line.output)};
  if (!line.report.empty()) {
    require_other_file(line.report, line.output, "the output");
    require_other_file(line.report, hdf5::unfinished_name(line.output), "the unfinished output");
    written.push_back(line.report);
  }
  for (const std::string& name : written) {
    require_other_file(name, line.input, "the input");
    require_other_file(name, line.parameters, "the parameters");
    require_other_file(name, line.reference, "the reference");
    require_writable_place(name);
  }
}

hdf5::LayerFile read_and_check(const CommandLine& line) {
  hdf5::LayerFile layer = hdf5::read_layer_file(line.input, line.parameters);
  if (!line.reference.empty()) check_reference(line.reference, layer.shape);
  check_written_files(line);
  return layer;
}

void broadcast(const Communicator& communicator, hdf5::LayerFile& layer) {
  static_assert(std::is_trivially_copyable_v<Shape>);
  communicator.broadcast(&layer.shape, sizeof layer.shape);
  communicator.broadcast(&layer.input_element_bytes, sizeof layer.input_element_bytes);
  communicator.broadcast(layer.parameters.conv_weight);
  communicator.broadcast(layer.parameters.conv_bias);
  communicator.broadcast(layer.parameters.bias);
  communicator.broadcast(layer.parameters.scale);
  communicator.broadcast(layer.parameters.group_norm_weight);
  communicator.broadcast(layer.parameters.group_norm_bias);
}

}  // namespace

std::variant<hdf5::LayerFile, Rejection> read_input(const CommandLine& line,
                                                    const Communicator& communicator) {
  hdf5::LayerFile layer;
  Rejection rejection{done, ""};
  if (communicator.is_root()) {
    try {
      layer = read_and_check(line);
    } catch (const hdf5::InvalidFile& error) {
      rejection = {bad_input_or_usage, error.what()};
    } catch (const std::exception& error) {
      rejection = {failed_while_running, error.what()};
    }
  }
  communicator.broadcast(&rejection.code, sizeof rejection.code);
  communicator.broadcast(rejection.sentence);
  if (rejection.code != done) return rejection;
  broadcast(communicator, layer);
  return layer;
}

}  // namespace fusedconv::app
