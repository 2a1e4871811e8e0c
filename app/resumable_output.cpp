// SPDX-License-Identifier: Apache-2.0
#include "resumable_output.hpp"

#include <filesystem>
#include <new>
#include <stdexcept>
#include <system_error>

#include "hdf5/checked_open.hpp"
#include "missing_rows.hpp"

namespace fusedconv::app {

namespace {

namespace fs = std::filesystem;

/// What is compressed until it is whole.
std::string compressed_name(const std::string& unfinished) { return unfinished + ".compressed"; }

/// The record of an unfinished output, if there are both.
std::optional<Record> record_of(const std::string& unfinished) {
  const std::string path = record_name(unfinished);
  if (!fs::exists(unfinished) || !fs::exists(path)) return std::nullopt;
  try {
    return read_record(path);
  } catch (const std::runtime_error& error) {
    throw hdf5::InvalidFile(unfinished, "record", "a record of what is complete", error.what());
  }
}

std::string images_text(std::int64_t count, std::int64_t images) {
  return std::to_string(count) + " of " + std::to_string(images) + " images complete";
}

}  // namespace

FoundOutput look_for_output(const std::string& name, const Shape& shape,
                            const hdf5::Storage& storage, const Fingerprint& fingerprint,
                            bool resume) {
  FoundOutput found;
  found.missing = missing_rows(shape.batch, shape.output_height(), {});
  const std::string unfinished = hdf5::unfinished_name(name);
  const std::optional<Record> record = record_of(unfinished);
  if (!record) {
    found.complete = resume && hdf5::fingerprint_of_complete(name) == hash_text(fingerprint);
    if (found.complete) found.missing.clear();
    return found;
  }
  if (!resume) {
    if (record->complete.empty()) return found;
    const std::vector<hdf5::Region> missing =
        missing_rows(shape.batch, shape.output_height(), record->complete);
    throw hdf5::InvalidFile(
        unfinished, "file to write",
        "--resume to go on with it, or that it is removed to begin anew",
        "what an earlier run has completed" +
            (difference(fingerprint, record->fingerprint)
                 ? " of another input or with other options"
                 : ": " + images_text(complete_images(shape.batch, missing), shape.batch)));
  }
  if (const auto unlike = difference(fingerprint, record->fingerprint)) {
    throw hdf5::InvalidFile(unfinished, "made with another " + unlike->what, unlike->expected,
                            unlike->found);
  }
  const std::int64_t address = hdf5::check_unfinished(unfinished, shape, storage);
  if (address != record->data_address) {
    throw hdf5::InvalidFile(
        unfinished, "output",
        "data from byte " + std::to_string(record->data_address) + " on, as its record says",
        "data from byte " + std::to_string(address) + " on");
  }
  found.unfinished = true;
  found.record_end = record->end;
  found.missing = missing_rows(shape.batch, shape.output_height(), record->complete);
  return found;
}

ResumableOutput::ResumableOutput(const Communicator& communicator, const std::string& name,
                                 const Shape& shape, const hdf5::Storage& storage,
                                 const hdf5::Hints& hints, const Writing& writing,
                                 const Fingerprint& fingerprint)
    : communicator_(communicator),
      name_(name),
      unfinished_name_(hdf5::unfinished_name(name)),
      record_name_(record_name(unfinished_name_)),
      shape_(shape),
      storage_(storage),
      hints_(hints),
      writing_(writing),
      fingerprint_(fingerprint),
      others_have_opened_(communicator.size() == 1) {}

void ResumableOutput::open(const FoundOutput& found) {
  std::int64_t end = found.record_end;
  if (communicator_.is_root() && !found.unfinished) end = create();
  communicator_.broadcast(&end, sizeof end);
  file_.emplace(unfinished_name_, storage_, hdf5::access_by(communicator_, hints_).id());
  record_.emplace(record_name_, unfinished_name_, end, communicator_.rank(), communicator_.size());
  const std::vector<std::int64_t> extents = hdf5::output_extents(shape_);
  if (transfer_to(unfinished_name_, writing_) == Transfer::mapped) {
    mapped_.emplace(unfinished_name_, file_->address(), extents, storage_.type, writing_.threads);
  }
  communicator_.barrier();
  others_have_opened_ = true;
}

std::int64_t ResumableOutput::create() const {
  // No record speaks of a file that is not its own.
  fs::remove(record_name_);
  const std::int64_t address = hdf5::create_unfinished(unfinished_name_, shape_, storage_, hints_);
  try {
    create_record(record_name_, fingerprint_, address);
    return static_cast<std::int64_t>(fs::file_size(record_name_));
  } catch (const std::exception&) {
    remove_unfinished(name_);
    throw;
  }
}

void ResumableOutput::write(const hdf5::Region& region, const float* values) {
  if (mapped_) {
    if (mapped_->write(region, values)) {
      file_->write_checksums_alone(region, values);
      return;
    }
    // HDF5 writes, or says why it cannot.
    mapped_.reset();
  }
  file_->write(region, values);
}

void ResumableOutput::enter(const hdf5::Region& region) { record_->add(region); }

void ResumableOutput::close() {
  record_.reset();
  mapped_.reset();
  file_->close();
  file_.reset();
}

bool ResumableOutput::finish(const hdf5::Provenance& provenance,
                             const hdf5::Compression& compression,
                             const std::function<bool()>& stop) {
  if (compression.filter != hdf5::Filter::none) {
    if (!compress(provenance, compression, stop)) return false;
  } else if (communicator_.is_root()) {
    hdf5::complete_unfinished(unfinished_name_, provenance);
    flush_to_disk(unfinished_name_);
    fs::rename(unfinished_name_, name_);
  }
  // Whoever is killed from here on leaves a whole output, and perhaps files that it does not need.
  if (communicator_.is_root()) remove_unfinished(name_);
  communicator_.barrier();
  return true;
}

bool ResumableOutput::compress(const hdf5::Provenance& provenance,
                               const hdf5::Compression& compression,
                               const std::function<bool()>& stop) {
  const std::string compressed = compressed_name(unfinished_name_);
  const bool done = hdf5::write_compressed(communicator_, unfinished_name_, compressed, compression,
                                           hints_, stop);
  communicator_.barrier();
  if (!communicator_.is_root()) return done;
  if (!done) {
    fs::remove(compressed);
    return false;
  }
  hdf5::complete_unfinished(compressed, provenance);
  flush_to_disk(compressed);
  fs::rename(compressed, name_);
  return true;
}

bool ResumableOutput::keep_what_is_complete() noexcept {
  try {
    if (!fs::exists(unfinished_name_) || !fs::exists(record_name_)) return false;
    if (!read_record(record_name_).complete.empty()) return true;
  } catch (const std::exception&) {
    return false;
  }
  if (others_have_opened_) remove_unfinished(name_);
  return false;
}

void remove_unfinished(const std::string& name) noexcept {
  try {
    const std::string unfinished = hdf5::unfinished_name(name);
    std::error_code ignored;
    // The record is the last to go: without it nothing tells what the other one holds.
    fs::remove(unfinished, ignored);
    fs::remove(compressed_name(unfinished), ignored);
    fs::remove(record_name(unfinished), ignored);
    // NOLINTNEXTLINE(bugprone-empty-catch): nothing is lost
  } catch (const std::bad_alloc&) {
    // No harm is done by files that nobody needs.
  }
}

}  // namespace fusedconv::app
