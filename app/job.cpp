// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "computation.hpp"
#include "device.hpp"
#include "pipeline.hpp"
#include "progress.hpp"
#include "statistics_sum.hpp"
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
          .write = communicator.maximum(seconds.write),
          .pipeline = communicator.maximum(seconds.pipeline),
          .overlapped = communicator.maximum(seconds.overlapped)};
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
  plan();
  report_.ranks = gather(communicator, rank_);
}

LayerMemory Job::layer_memory() const {
  const auto& parameters = layer_.parameters;
  std::size_t values = 0;
  for (const auto* tensor :
       {&parameters.conv_weight, &parameters.conv_bias, &parameters.bias, &parameters.scale,
        &parameters.group_norm_weight, &parameters.group_norm_bias}) {
    values += tensor->size();
  }
  const BackendPlan plan = plan_on(line_.backend, layer_.shape.with_batch(1), options_);
  return {.on_device = has_own_memory(line_.backend),
          .workspace_bytes =
              [this](std::int64_t images) {
                return plan_on(line_.backend, layer_.shape.with_batch(images), options_)
                    .workspace_bytes;
              },
          .parameter_bytes = static_cast<std::int64_t>(values * sizeof(float)),
          .row_alignment = plan.row_alignment,
          .statistics_words = plan.row_statistics_words};
}

MemoryLimit Job::memory_limit() {
  const bool own_memory = has_own_memory(line_.backend);
  report_.free_memory = {free_host_memory(), own_memory ? free_memory(line_.backend) : 0};
  // All ranks have seen what is free before any of them takes some.
  communicator_.barrier();
  // All ranks cut the job alike.
  MemoryLimit limit;
  limit.available.host =
      communicator_.minimum(report_.free_memory.host / communicator_.ranks_on_node());
  limit.available.device =
      communicator_.minimum(report_.free_memory.device / ranks_on_device(communicator_));
  limit.host_is_demanded = line_.memory > 0;
  limit.device_is_demanded = line_.device_memory > 0;
  limit.wanted.host = line_.memory > 0 ? line_.memory : limit.available.host / 4;
  limit.wanted.device = line_.device_memory > 0 ? line_.device_memory : limit.available.device / 2;
  return limit;
}

void Job::plan() {
  const MemoryLimit limit = memory_limit();
  plan_ = plan_pieces(layer_.shape, communicator_.size(), line_.chunk, layer_memory(), limit);
  report_.memory_limit = limit.wanted;
  const int ranks = communicator_.size();
  const std::int64_t rows = layer_.shape.output_height();
  rank_.images = {0, layer_.shape.batch};
  rank_.rows = {0, rows};
  if (plan_.cut.by_rows) {
    rank_.rows = rows_of_rank(rows, plan_.cut.alignment, ranks, communicator_.rank());
  } else {
    rank_.images = images_of_rank(layer_.shape.batch, ranks, communicator_.rank());
  }
  const BackendPlan layer_plan =
      plan_on(line_.backend, layer_.shape.with_batch(plan_.cut.images), options_);
  report_.algorithm = to_string(layer_plan.algorithm);
  report_.plan = layer_plan.description;
  report_.cut = plan_.cut;
  report_.memory = plan_.memory;
}

void Job::run() {
  report_.start_time = time_text();
  const Timer timer;
  const std::vector<FileImages> work{{0, {0, layer_.shape.batch}}};
  std::vector<Piece> pieces = pieces_of_rank(work, plan_.cut, layer_.shape.output_height(),
                                             communicator_.size(), communicator_.rank());
  progress_.emplace(
      communicator_, amount_of(pieces, layer_.shape, layer_.input_element_bytes),
      standard_error_display(communicator_.is_root() && !line_.quiet, line_.log_interval));
  files_.emplace(communicator_, layer_.shape, layer_.input_element_bytes, line_.input,
                 line_.reference, output_, *progress_);
  output_.create(layer_.shape);
  if (!pieces.empty()) compute(std::move(pieces));
  progress_->finish();
  progress_.reset();
  finish_output();
  report_.deviation = files_->deviation();
  report_.total_seconds = communicator_.maximum(timer.seconds());
  report_.seconds = slowest(communicator_, rank_.seconds);
  report_.read_bytes = communicator_.sum(files_->read_bytes());
  report_.written_bytes = communicator_.sum(files_->written_bytes());
  rank_.peak_memory_bytes = peak_host_memory();
  report_.ranks = gather(communicator_, rank_);
}

void Job::compute(std::vector<Piece> pieces) {
  const std::unique_ptr<Computation> computation =
      make_computation(line_.backend, layer_.shape.with_batch(plan_.cut.images), layer_.parameters,
                       options_, plan_.buffers);
  RankSum sum(communicator_);
  const bool sums = plan_.cut.by_rows && communicator_.size() > 1;
  Pipeline pipeline(*files_, std::move(pieces), plan_.buffers.count, sums ? &sum : nullptr,
                    plan_.statistics_words);
  const Timer timer;
  const ComputeSeconds computing = pipeline.run(*computation, line_.repeat);
  Seconds& seconds = rank_.seconds;
  seconds.pipeline = timer.seconds();
  seconds.read = files_->read_seconds();
  seconds.write = files_->write_seconds();
  seconds.transfer = computing.transfer;
  seconds.compute = computing.median;
  seconds.compute_minimum = computing.minimum;
  const double busy = seconds.read + seconds.write + seconds.transfer + computing.all;
  seconds.overlapped = std::max(0.0, busy - seconds.pipeline);
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
