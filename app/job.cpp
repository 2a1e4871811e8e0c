// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <array>
#include <filesystem>

#include "device.hpp"
#include "hdf5/images.hpp"
#include "memory.hpp"
#include "progress.hpp"
#include "timer.hpp"

namespace fusedconv::app {

namespace {

std::string host_name() {
  std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
  int length = 0;
  MPI_Get_processor_name(name.data(), &length);
  return {name.data(), static_cast<std::size_t>(length)};
}

/// Ranks of a node that share its fullest device.
std::int64_t ranks_on_device(const Communicator& communicator) {
  const int devices = std::max(1, Kokkos::num_devices());
  return (communicator.ranks_on_node() + devices - 1) / devices;
}

Seconds slowest(const Communicator& communicator, const Seconds& seconds) {
  return {.read = communicator.maximum(seconds.read),
          .transfer = communicator.maximum(seconds.transfer),
          .compute = communicator.maximum(seconds.compute),
          .compute_minimum = communicator.maximum(seconds.compute_minimum),
          .write = communicator.maximum(seconds.write)};
}

}  // namespace

Job::Job(const CommandLine& line, const hdf5::LayerFile& layer, const Communicator& communicator)
    : line_(line),
      layer_(layer),
      communicator_(communicator),
      options_{.algorithm = algorithm_from_string(line.algorithm),
               .precision = precision_from_string(line.precision)},
      output_(communicator, line.output) {
  const bool own_memory = has_own_memory(line.backend);
  rank_.host = host_name();
  rank_.processor = processor_name(line.backend);
  rank_.device = own_memory ? Kokkos::device_id() : -1;
  rank_.threads = host_threads(line.backend);
  rank_.images = images_of_rank(layer.shape.batch, communicator.size(), communicator.rank());

  report_.input = line.input;
  report_.input_element_bytes = layer.input_element_bytes;
  report_.parameters = line.parameters;
  report_.output = line.output;
  report_.shape = layer.shape;
  report_.backend = line.backend;
  report_.precision = to_string(options_.precision);
  report_.repeat = line.repeat;
  report_.reference = line.reference;
  report_.tolerance = line.tolerance;
  if (communicator.is_root()) {
    report_.input_file_bytes = static_cast<std::int64_t>(std::filesystem::file_size(line.input));
  }
  choose_chunk();
  report_.ranks = gather(communicator, rank_);
}

void Job::choose_chunk() {
  const bool own_memory = has_own_memory(line_.backend);
  const BackendPlan plan_of_one = plan_on(line_.backend, layer_.shape.with_batch(1), options_);
  // The first rank has the most images.
  const std::int64_t most_images =
      images_of_rank(layer_.shape.batch, communicator_.size(), 0).count;

  report_.free_memory = {free_host_memory(), own_memory ? free_memory(line_.backend) : 0};
  // All ranks have seen what is free before any of them takes some.
  communicator_.barrier();
  const MemoryBytes share{report_.free_memory.host / communicator_.ranks_on_node() / 4,
                          report_.free_memory.device / ranks_on_device(communicator_) / 2};
  const std::int64_t fits = chunk_that_fits(
      chunk_memory(layer_.shape.with_batch(1), plan_of_one.workspace_bytes, own_memory),
      most_images, share);
  report_.chunk =
      line_.chunk > 0 ? std::min(line_.chunk, most_images) : communicator_.minimum(fits);

  const Shape shape = layer_.shape.with_batch(report_.chunk);
  const BackendPlan plan = plan_on(line_.backend, shape, options_);
  report_.algorithm = to_string(plan.algorithm);
  report_.plan = plan.description;
  report_.memory = chunk_memory(shape, plan.workspace_bytes, own_memory);
}

void Job::run() {
  report_.start_time = time_text();
  const Timer timer;
  if (rank_.images.count > 0) {
    computation_ = make_computation(
        line_.backend, layer_.shape.with_batch(std::min(report_.chunk, rank_.images.count)),
        layer_.parameters, options_);
  }
  input_ = hdf5::File::open_read_only(line_.input, hdf5::access_by(communicator_).id());
  if (!line_.reference.empty()) verification_.emplace(communicator_, line_.reference);
  output_.create(layer_.shape);
  compute_chunks();
  finish_output();
  if (verification_) report_.deviation = verification_->deviation();
  report_.total_seconds = communicator_.maximum(timer.seconds());
  report_.seconds = slowest(communicator_, rank_.seconds);
  report_.ranks = gather(communicator_, rank_);
}

void Job::compute_chunks() {
  Progress progress(communicator_.is_root() && !line_.quiet, rank_.images.count);
  // Opening a dataset is collective, also for a rank without images.
  const hdf5::Dataset images = hdf5::Dataset::open(*input_, "input");
  const std::int64_t end = rank_.images.first + rank_.images.count;
  for (std::int64_t first = rank_.images.first; first < end; first += report_.chunk) {
    const std::int64_t count = std::min(report_.chunk, end - first);
    const Timer reading;
    hdf5::naming_file(line_.input,
                      [&] { hdf5::read_images(images, first, count, computation_->input()); });
    rank_.seconds.read += reading.seconds();

    const ComputeSeconds computing = computation_->compute(count, line_.repeat);
    rank_.seconds.transfer += computing.transfer;
    rank_.seconds.compute += computing.median;
    rank_.seconds.compute_minimum += computing.minimum;

    const Timer writing;
    output_.write(first, count, computation_->output());
    rank_.seconds.write += writing.seconds();

    if (verification_) verification_->compare(first, count, computation_->output());
    progress.add(count);
  }
}

void Job::finish_output() {
  const Timer writing;
  report_.end_time = time_text();
  hdf5::Provenance made{.backend = line_.backend,
                        .device = processors(report_.ranks),
                        .precision = report_.precision,
                        .algorithm = report_.algorithm,
                        .ranks = communicator_.size(),
                        .input_file = line_.input,
                        .input_file_size = report_.input_file_bytes,
                        .start_time = report_.start_time};
  // HDF5 wants the same attributes from every rank.
  communicator_.broadcast(made.device);
  communicator_.broadcast(&made.input_file_size, sizeof made.input_file_size);
  communicator_.broadcast(made.start_time);
  communicator_.broadcast(report_.end_time);
  output_.finish(made, report_.end_time);
  rank_.seconds.write += writing.seconds();
}

}  // namespace fusedconv::app
