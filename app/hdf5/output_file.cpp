// SPDX-License-Identifier: Apache-2.0
#include "output_file.hpp"

#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "checked_open.hpp"
#include "row_checksums.hpp"
#include "stored_data.hpp"
#include "version.hpp"

namespace fusedconv::app::hdf5 {

namespace {

constexpr const char* dataset_name = "output";
constexpr const char* complete_name = "complete";

/// Room for the values that other runs may have, which resume this one.
constexpr std::size_t room_for_a_word = 63;
constexpr std::size_t room_for_a_text = 1023;

void reserve_attributes(const Dataset& dataset) {
  for (const char* name : {"version", "commit", "backend", "activation", "precision", "algorithm",
                           "fingerprint", "start_time", "end_time"}) {
    write_attribute(dataset, name, "", room_for_a_word);
  }
  for (const char* name : {"device", "input_file"}) {
    write_attribute(dataset, name, "", room_for_a_text);
  }
  for (const char* name : {"ranks", "input_file_size", complete_name}) {
    write_attribute(dataset, name, std::int64_t{0});
  }
}

/// The dataset of a file that is going to be written to: what it says must not lead elsewhere.
Dataset open_own_dataset(const File& file, const char* name) {
  H5L_info_t link{};
  if (has_object(file, name)) {
    check(H5Lget_info(file.id(), name, &link, H5P_DEFAULT), name, "ask for its link");
    if (link.type != H5L_TYPE_HARD) throw InvalidFile(file.name(), name, "a dataset", "a link");
  }
  Dataset dataset = open_checked_dataset(file, name, {.other_files = true});
  if (!is_contiguous(dataset)) {
    throw InvalidFile(file.name(), name, "contiguous data in this file", "data of another layout");
  }
  return dataset;
}

}  // namespace

std::string unfinished_name(const std::string& name) { return name + ".part"; }

std::vector<std::int64_t> output_extents(const Shape& shape) {
  return {shape.batch, shape.out_channels, shape.output_height(), shape.output_width()};
}

PropertyList contiguous_layout() {
  PropertyList creation(H5P_DATASET_CREATE);
  check(H5Pset_layout(creation.id(), H5D_CONTIGUOUS), creation.name(), "choose a layout");
  check(H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY), creation.name(),
        "choose early allocation");
  check(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), creation.name(),
        "choose not to fill");
  return creation;
}

Dataset create_output(const File& file, const Datatype& type,
                      const std::vector<std::int64_t>& extents, const PropertyList& creation) {
  Dataset dataset =
      Dataset::create(file, dataset_name, type.id(), Dataspace::simple(extents), creation.id());
  reserve_attributes(dataset);
  return dataset;
}

std::int64_t create_unfinished(const std::string& path, const Shape& shape, const Storage& storage,
                               const Hints& hints) {
  const PropertyList access = access_to_create(hints);
  // Metadata, all of it smaller, need no such address.
  constexpr hsize_t aligned_from = hsize_t{1} << 16;
  check(H5Pset_alignment(access.id(), aligned_from, static_cast<hsize_t>(storage.alignment)),
        access.name(), "choose an alignment");
  try {
    File file = File::create(path, access.id());
    Dataset dataset =
        create_output(file, stored_type(storage.type), output_extents(shape), contiguous_layout());
    if (storage.checksums) create_checksums(file, output_extents(shape), contiguous_layout());
    file.flush();
    const std::int64_t address = dataset.address();
    dataset.close();
    file.close();
    return address;
  } catch (const Error& error) {
    // Of the failure at hand there is more to tell. What could not be opened is somebody else's.
    std::error_code ignored;
    const bool opened = ::access(path.c_str(), W_OK) == 0;
    if (opened) std::filesystem::remove(path, ignored);
    throw error.in_file(path);
  }
}

std::int64_t check_unfinished(const std::string& path, const Shape& shape, const Storage& storage) {
  try {
    const File file = open_checked_file(path);
    const Dataset dataset = open_own_dataset(file, dataset_name);
    const std::vector<std::int64_t> extents = dataset.extents();
    if (extents != output_extents(shape)) {
      throw InvalidFile(path, dataset_name, "extents " + extents_text(output_extents(shape)),
                        "extents " + extents_text(extents));
    }
    if (!dataset.type().is(stored_type(storage.type).id())) {
      throw InvalidFile(path, dataset_name, to_string(storage.type), "another type of element");
    }
    require_stored(file, dataset);
    if (storage.checksums) {
      require_checksums(file, open_own_dataset(file, checksums_name), extents);
    }
    return dataset.address();
  } catch (const Error& error) {
    throw InvalidFile(path, error);
  }
}

void complete_unfinished(const std::string& path, const Provenance& provenance) {
  File file = File::open_read_write(path);
  naming_file(path, [&] {
    Dataset dataset = Dataset::open(file, dataset_name);
    rewrite_attribute(dataset, "version", std::string(version));
    rewrite_attribute(dataset, "commit", std::string(commit));
    rewrite_attribute(dataset, "backend", provenance.backend);
    rewrite_attribute(dataset, "device", provenance.device);
    rewrite_attribute(dataset, "activation", provenance.activation);
    rewrite_attribute(dataset, "precision", provenance.precision);
    rewrite_attribute(dataset, "algorithm", provenance.algorithm);
    rewrite_attribute(dataset, "ranks", provenance.ranks);
    rewrite_attribute(dataset, "input_file", provenance.input_file);
    rewrite_attribute(dataset, "input_file_size", provenance.input_file_size);
    rewrite_attribute(dataset, "fingerprint", provenance.fingerprint);
    rewrite_attribute(dataset, "start_time", provenance.start_time);
    rewrite_attribute(dataset, "end_time", provenance.end_time);
    file.flush();
    rewrite_attribute(dataset, complete_name, std::int64_t{1});
    dataset.close();
    file.close();
  });
}

bool is_complete(const Dataset& output) {
  return Attribute::exists(output, complete_name) &&
         read_integer_attribute(output, complete_name) == 1;
}

void require_checksums(const File& file, const Dataset& checksums,
                       const std::vector<std::int64_t>& extents) {
  const std::vector<std::int64_t> expected = checksum_extents(extents);
  const std::vector<std::int64_t> found = checksums.extents();
  if (found != expected) {
    throw InvalidFile(file.name(), checksums.name(), "extents " + extents_text(expected),
                      "extents " + extents_text(found));
  }
  if (!checksums.type().is(H5T_STD_U32LE)) {
    throw InvalidFile(file.name(), checksums.name(), "integers of 32 bits without sign",
                      "another type of element");
  }
  require_stored(file, checksums);
}

std::string fingerprint_of_complete(const std::string& path) {
  try {
    const File file = open_checked_file(path);
    const Dataset dataset = open_checked_dataset(file, dataset_name);
    return is_complete(dataset) ? read_string_attribute(dataset, "fingerprint") : "";
  } catch (const std::runtime_error&) {
    // Whatever it is, no output of ours.
    return "";
  }
}

}  // namespace fusedconv::app::hdf5
