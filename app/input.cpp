// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include <exception>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "hdf5/checked_open.hpp"
#include "input_files.hpp"
#include "verify.hpp"
#include "written_files.hpp"

namespace fusedconv::app {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FileState, bytes, modified)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(InputFile, name, output, reference, state, other_files, images,
                                   element_bytes)

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The names alone.
std::vector<InputFile> files_of(const CommandLine& line) {
  const std::vector<std::string> inputs = expand_inputs(line.inputs);
  if (inputs.size() > 1 && line.output_directory.empty()) {
    throw hdf5::InvalidFile(inputs[1], "input", "--output-dir with several inputs",
                            std::to_string(inputs.size()) + " inputs without it");
  }
  std::vector<InputFile> files;
  for (const std::string& input : inputs) files.emplace_back().name = input;
  if (line.output_directory.empty()) {
    files.front().output = line.output.empty() ? default_output(inputs.front()) : line.output;
    files.front().reference = line.reference;
    return files;
  }
  const std::vector<std::string> outputs = outputs_in(line.output_directory, inputs);
  for (std::size_t file = 0; file < files.size(); ++file) {
    files[file].output = outputs[file];
    // The references of several outputs have the outputs' names, in a directory.
    if (line.reference.empty()) continue;
    files[file].reference = fs::is_directory(line.reference)
                                ? fs::path(line.reference) / fs::path(outputs[file]).filename()
                                : fs::path(line.reference);
  }
  if (files.size() > 1 && !line.reference.empty() && !fs::is_directory(line.reference)) {
    throw hdf5::InvalidFile(line.reference, "reference",
                            "a directory where there are several inputs", "no directory");
  }
  return files;
}

bool have_equal_layers(const hdf5::LayerFile& one, const hdf5::LayerFile& other) {
  return one.shape.with_batch(1) == other.shape.with_batch(1) && one.parameters == other.parameters;
}

std::vector<JobInput> read_and_check(const CommandLine& line) {
  std::vector<InputFile> files = files_of(line);
  std::vector<JobInput> jobs;
  for (InputFile& file : files) {
    hdf5::LayerFile layer =
        hdf5::read_layer_file(file.name, line.parameters, line.activation, line.permissions);
    if (!file.reference.empty()) {
      check_reference(file.reference, layer.shape, line.permissions);
    }
    file.state = file_state(file.name);
    for (const std::string& other : layer.other_files) {
      file.other_files.emplace_back(other, file_state(other));
    }
    file.images = layer.shape.batch;
    file.element_bytes = layer.input_element_bytes;
    if (!jobs.empty() && have_equal_layers(jobs.back().layer, layer)) {
      jobs.back().layer.shape.batch += layer.shape.batch;
    } else {
      jobs.push_back({std::move(layer), {}});
    }
    jobs.back().files.push_back(file);
  }
  check_written_files(line, files);
  return jobs;
}

void broadcast(const Communicator& communicator, hdf5::LayerFile& layer) {
  static_assert(std::is_trivially_copyable_v<Shape>);
  communicator.broadcast(&layer.shape, sizeof layer.shape);
  communicator.broadcast(layer.parameters.conv_weight);
  communicator.broadcast(layer.parameters.conv_bias);
  communicator.broadcast(layer.parameters.bias);
  communicator.broadcast(layer.parameters.scale);
  communicator.broadcast(layer.parameters.group_norm_weight);
  communicator.broadcast(layer.parameters.group_norm_bias);
}

void broadcast(const Communicator& communicator, std::vector<JobInput>& jobs) {
  auto count = static_cast<std::int64_t>(jobs.size());
  communicator.broadcast(&count, sizeof count);
  jobs.resize(static_cast<std::size_t>(count));
  for (JobInput& job : jobs) {
    broadcast(communicator, job.layer);
    // File names need not be UTF-8, which JSON's binary forms do not mind.
    std::vector<std::uint8_t> files = json::to_cbor(job.files);
    communicator.broadcast(files);
    job.files = json::from_cbor(files).get<std::vector<InputFile>>();
  }
}

}  // namespace

std::variant<std::vector<JobInput>, Rejection> read_inputs(const CommandLine& line,
                                                           const Communicator& communicator) {
  std::vector<JobInput> jobs;
  Rejection rejection{done, ""};
  if (communicator.is_root()) {
    try {
      jobs = read_and_check(line);
    } catch (const hdf5::InvalidFile& error) {
      rejection = {bad_input_or_usage, error.what()};
    } catch (const std::bad_alloc&) {
      // Not to be told in words that want memory themselves.
      throw;
    } catch (const std::exception& error) {
      rejection = {failed_while_running, error.what()};
    }
  }
  communicator.broadcast(&rejection.code, sizeof rejection.code);
  communicator.broadcast(rejection.sentence);
  if (rejection.code != done) return rejection;
  broadcast(communicator, jobs);
  return jobs;
}

}  // namespace fusedconv::app
