// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "computation.hpp"
#include "device.hpp"
#include "hdf5/checked_open.hpp"
#include "host_memory.hpp"
#include "missing_rows.hpp"
#include "pipeline.hpp"
#include "progress.hpp"
#include "shape_json.hpp"
#include "statistics_sum.hpp"
#include "timer.hpp"
#include "version.hpp"

namespace fusedconv::app {

namespace {

using nlohmann::json;

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

std::array<const std::vector<float>*, 6> tensors(const hdf5::HostParameters& parameters) {
  return {&parameters.conv_weight, &parameters.conv_bias,         &parameters.bias,
          &parameters.scale,       &parameters.group_norm_weight, &parameters.group_norm_bias};
}

/// The images of which some rows are missing.
std::vector<ImageRange> images_of(const std::vector<hdf5::Region>& missing) {
  std::vector<ImageRange> ranges;
  for (const hdf5::Region& region : missing) {
    const std::int64_t end = region.first_image + region.images;
    if (!ranges.empty() && ranges.back().first + ranges.back().count >= region.first_image) {
      ranges.back().count = end - ranges.back().first;
    } else {
      ranges.push_back({region.first_image, region.images});
    }
  }
  return ranges;
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

Job::Job(const CommandLine& line, const JobInput& input, const Communicator& communicator)
    : line_(line),
      layer_(input.layer),
      communicator_(communicator),
      options_{.algorithm = algorithm_from_string(line.algorithm),
               .precision = precision_from_string(line.precision)} {
  const bool own_memory = has_own_memory(line.backend);
  rank_.host = host_name();
  rank_.processor = processor_name(line.backend);
  rank_.device = own_memory ? Kokkos::device_id() : -1;
  rank_.threads = host_threads(line.backend);

  for (const InputFile& file : input.files) {
    file_plans_.push_back({.file = file, .found = {}, .fingerprint = fingerprint(file)});
    report_.files.push_back({.input = file.name,
                             .input_file_bytes = file.state.bytes,
                             .images = file.images,
                             .output = file.output,
                             .reference = file.reference,
                             .deviation = std::nullopt});
  }
  report_.input_element_bytes = input.files.front().element_bytes;
  report_.output_element_bytes = hdf5::element_bytes(line.storage.type);
  report_.parameters = line.parameters;
  report_.shape = layer_.shape;
  report_.backend = line.backend;
  report_.precision = to_string(options_.precision);
  report_.repeat = line.repeat;
  report_.tolerance = line.tolerance;
  look_for_outputs();
  for (const FileImages& images : work_) report_.computed_images += images.images.count;
  plan();
  share_files();
  report_.ranks = gather(communicator, rank_);
}

Fingerprint Job::fingerprint(const InputFile& file) const {
  Hash parameters;
  for (const std::vector<float>* tensor : tensors(layer_.parameters)) {
    const std::size_t size = tensor->size();
    parameters.add(&size, sizeof size);
    parameters.add(tensor->data(), size * sizeof(float));
  }
  const BackendPlan plan = plan_on(line_.backend, layer_.shape.with_batch(1), options_);
  Fingerprint fingerprint{{"fusedconv", std::string(version) + " (" + commit + ")"},
                          {"input", to_string(file.state)},
                          {"shape", shape_json(layer_.shape.with_batch(file.images)).dump()},
                          {"hash of parameters", hash_text(parameters)},
                          {"backend", line_.backend},
                          {"precision", std::string(to_string(options_.precision))},
                          {"algorithm", std::string(to_string(plan.algorithm))},
                          {"output type", hdf5::to_string(line_.storage.type)}};
  if (!file.other_files.empty()) {
    Hash states;
    for (const auto& [name, state] : file.other_files) {
      const std::string text = name + to_string(state);
      states.add(text.data(), text.size());
    }
    fingerprint.emplace_back("hash of the other files of the input", hash_text(states));
  }
  if (line_.storage.checksums) fingerprint.emplace_back("checksum", "CRC-32 of rows");
  // Hosts compute the same with the same binary; GPUs of another kind may not.
  if (has_own_memory(line_.backend)) fingerprint.emplace_back("device", rank_.processor);
  return fingerprint;
}

FoundOutput Job::look_for_output(const FilePlan& file) const {
  return app::look_for_output(file.file.output, layer_.shape.with_batch(file.file.images),
                              line_.storage, file.fingerprint, line_.resume);
}

void Job::look_for_outputs() {
  std::string refusal;
  if (communicator_.is_root()) {
    try {
      for (FilePlan& file : file_plans_) file.found = look_for_output(file);
    } catch (const hdf5::InvalidFile& error) {
      refusal = error.what();
    }
  }
  communicator_.broadcast(refusal);
  if (!refusal.empty()) throw OutputRefused(refusal);
  for (std::size_t number = 0; number < file_plans_.size(); ++number) {
    FoundOutput& found = file_plans_[number].found;
    communicator_.broadcast(&found.complete, sizeof found.complete);
    communicator_.broadcast(&found.unfinished, sizeof found.unfinished);
    communicator_.broadcast(&found.record_end, sizeof found.record_end);
    communicator_.broadcast(found.missing);
    for (const ImageRange& images : images_of(found.missing)) {
      work_.push_back({static_cast<std::int64_t>(number), images});
    }
  }
}

/// Which ranks have pieces of which file.
void Job::share_files() {
  std::int64_t before = 0;  // images of the entries before this one
  for (const FileImages& entry : work_) {
    FilePlan& file = file_plans_[static_cast<std::size_t>(entry.file)];
    for (int rank = 0; rank < communicator_.size(); ++rank) {
      const ImageRange share = images_of_rank(report_.computed_images, communicator_.size(), rank);
      const bool has_some = share.first < before + entry.images.count &&
                            before < share.first + share.count && share.count > 0;
      if (!has_some && !plan_.cut.by_rows) continue;
      if (file.ranks == 0) file.first_rank = rank;
      file.ranks = std::max(file.ranks, rank - file.first_rank + 1);
    }
    before += entry.images.count;
  }
}

LayerMemory Job::layer_memory() const {
  std::size_t values = 0;
  for (const std::vector<float>* tensor : tensors(layer_.parameters)) values += tensor->size();
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
  const std::int64_t images = std::max<std::int64_t>(1, report_.computed_images);
  const MemoryLimit limit = memory_limit();
  plan_ = plan_pieces(layer_.shape.with_batch(images), communicator_.size(), line_.chunk,
                      layer_memory(), limit);
  report_.memory_limit = limit.wanted;
  const int ranks = communicator_.size();
  const std::int64_t rows = layer_.shape.output_height();
  rank_.images = {0, report_.computed_images};
  rank_.rows = {0, rows};
  if (plan_.cut.by_rows) {
    rank_.rows = rows_of_rank(rows, plan_.cut.alignment, ranks, communicator_.rank());
  } else {
    rank_.images = images_of_rank(report_.computed_images, ranks, communicator_.rank());
  }
  const BackendPlan layer_plan =
      plan_on(line_.backend, layer_.shape.with_batch(plan_.cut.images), options_);
  report_.algorithm = to_string(layer_plan.algorithm);
  report_.plan = layer_plan.description;
  report_.cut = plan_.cut;
  report_.memory = plan_.memory;
}

int Job::run() {
  report_.start_time = time_text();
  const Timer timer;
  std::vector<Piece> pieces = pieces_of_rank(work_, plan_.cut, layer_.shape.output_height(),
                                             communicator_.size(), communicator_.rank());
  // The first of two sweeps is of all rows, for the sake of the statistics.
  std::erase_if(pieces, [this](const Piece& piece) {
    return piece.sweep == Sweep::output && is_complete(piece);
  });
  const ElementBytes element_bytes{report_.input_element_bytes, report_.output_element_bytes};
  progress_.emplace(
      communicator_, amount_of(pieces, layer_.shape, element_bytes),
      standard_error_display(communicator_.is_root() && !line_.quiet, line_.log_interval));
  files_.emplace(communicator_, layer_.shape, element_bytes, file_plans_, pieces, output_form(),
                 *progress_);
  files_->open_shared();
  if (!pieces.empty()) compute(std::move(pieces));
  files_->wait_for_all();
  progress_->finish();
  progress_.reset();
  const Timer finishing;
  const int signal = files_->finish();
  rank_.seconds.write += finishing.seconds();
  report_.end_time = time_text();
  report_.total_seconds = communicator_.maximum(timer.seconds());
  report_.seconds = slowest(communicator_, rank_.seconds);
  report_.read_bytes = communicator_.sum(files_->read_bytes());
  report_.written_bytes = communicator_.sum(files_->written_bytes());
  rank_.peak_memory_bytes = peak_host_memory();
  report_.ranks = gather(communicator_, rank_);
  report_files();
  return signal;
}

bool Job::is_complete(const Piece& piece) const {
  const auto& missing = file_plans_[static_cast<std::size_t>(piece.file)].found.missing;
  return std::none_of(missing.begin(), missing.end(), [&](const hdf5::Region& region) {
    return region.first_image < piece.first_image + piece.images &&
           piece.first_image < region.first_image + region.images &&
           region.first_row < piece.first_row + piece.rows &&
           piece.first_row < region.first_row + region.rows;
  });
}

Writing Job::writing() const {
  const bool one_node = communicator_.minimum(std::int64_t{communicator_.ranks_on_node()}) ==
                        std::int64_t{communicator_.size()};
  // Pages that nodes share are not kept the same by every file system.
  return {.transfer = one_node ? line_.transfer : Transfer::independent,
          .threads = copying_threads(communicator_),
          .is_computing = !has_own_memory(line_.backend)};
}

OutputForm Job::output_form() {
  OutputForm form{line_.storage, line_.compression, line_.hints, writing(), {}};
  form.made.backend = line_.backend;
  form.made.device = processors(report_.ranks);
  form.made.activation = to_string(layer_.shape.activation);
  form.made.precision = report_.precision;
  form.made.algorithm = report_.algorithm;
  form.made.ranks = communicator_.size();
  form.made.start_time = report_.start_time;
  communicator_.broadcast(form.made.device);
  communicator_.broadcast(form.made.start_time);
  return form;
}

void Job::compute(std::vector<Piece> pieces) {
  computation_ = make_computation(line_.backend, layer_.shape.with_batch(plan_.cut.images),
                                  layer_.parameters, options_, plan_.buffers);
  RankSum sum(communicator_);
  const bool sums = plan_.cut.by_rows && communicator_.size() > 1;
  Pipeline pipeline(*files_, std::move(pieces), plan_.buffers.count, sums ? &sum : nullptr,
                    plan_.statistics_words);
  const Timer timer;
  const ComputeSeconds computing = pipeline.run(*computation_, line_.repeat);
  computation_.reset();
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

/// What verification has found is known to one rank of each file.
void Job::report_files() {
  json found = json::array();
  for (const auto& [file, deviation] : files_->deviations()) {
    found.push_back(
        {file, deviation.relative_l2, deviation.maximum, deviation.at, deviation.unlike_nonfinite});
  }
  const std::vector<std::uint8_t> bytes = json::to_cbor(found);
  for (const std::string& rank : communicator_.gather({bytes.begin(), bytes.end()})) {
    for (const json& entry : json::from_cbor(rank)) {
      report_.files[entry[0].get<std::size_t>()].deviation =
          Deviation{entry[1], entry[2], entry[3], entry[4]};
    }
  }
}

std::int64_t Job::complete_images() const {
  std::int64_t complete = 0;
  for (const FilePlan& file : file_plans_) {
    const FoundOutput now =
        app::look_for_output(file.file.output, layer_.shape.with_batch(file.file.images),
                             line_.storage, file.fingerprint, true);
    complete += app::complete_images(file.file.images, now.missing);
  }
  return complete;
}

std::string Job::resumption_text() const {
  if (!line_.resume) return "";
  std::int64_t complete = 0;
  std::int64_t unfinished = 0;
  for (const FilePlan& file : file_plans_) {
    complete += file.found.complete ? 1 : 0;
    unfinished += file.found.unfinished ? 1 : 0;
  }
  const auto files = static_cast<std::int64_t>(file_plans_.size());
  const std::string images = std::to_string(layer_.shape.batch - report_.computed_images) + " of " +
                             std::to_string(layer_.shape.batch) + " images were complete";
  if (files > 1) {
    return "resumed: of " + std::to_string(files) + " outputs " + std::to_string(complete) +
           " were whole and " + std::to_string(unfinished) + " unfinished; " + images;
  }
  const std::string& output = file_plans_.front().file.output;
  if (complete > 0) return output + ": whole already, nothing to resume";
  if (unfinished > 0) return hdf5::unfinished_name(output) + ": resumed, " + images;
  return output + ": nothing to resume, computed from the beginning";
}

}  // namespace fusedconv::app
