// SPDX-License-Identifier: Apache-2.0
#include "output_file.hpp"

#include <filesystem>
#include <system_error>

#include "../communicator.hpp"
#include "version.hpp"

namespace fusedconv::app::hdf5 {

PropertyList access_by(const Communicator& communicator) {
  PropertyList access(H5P_FILE_ACCESS);
  if (communicator.size() > 1) {
    check(H5Pset_fapl_mpio(access.id(), communicator.get(), MPI_INFO_NULL), access.name(),
          "choose MPI-IO");
  }
  return access;
}

std::string unfinished_name(const std::string& name) { return name + ".part"; }

OutputFile::OutputFile(const Communicator& communicator, const std::string& name)
    : communicator_(communicator), name_(name), unfinished_name_(hdf5::unfinished_name(name)) {}

void OutputFile::create(const Shape& shape) {
  file_ = File::create(unfinished_name_, access_by(communicator_).id());
  naming_file(unfinished_name_, [&] { create_dataset(shape); });
}

void OutputFile::create_dataset(const Shape& shape) {
  const PropertyList creation(H5P_DATASET_CREATE);
  check(H5Pset_layout(creation.id(), H5D_CONTIGUOUS), creation.name(), "choose a layout");
  check(H5Pset_alloc_time(creation.id(), H5D_ALLOC_TIME_EARLY), creation.name(),
        "choose early allocation");
  check(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), creation.name(),
        "choose not to fill");
  dataset_ = Dataset::create(*file_, "output", H5T_IEEE_F32LE,
                             Dataspace::simple({shape.batch, shape.out_channels,
                                                shape.output_height(), shape.output_width()}),
                             creation.id());
}

void OutputFile::write(const Region& region, const float* values) {
  naming_file(unfinished_name_, [&] { write_region(*dataset_, region, values); });
}

void OutputFile::finish(const Provenance& provenance, const std::string& end_time) {
  naming_file(unfinished_name_, [&] { complete(provenance, end_time); });
  communicator_.barrier();
  if (communicator_.is_root()) std::filesystem::rename(unfinished_name_, name_);
  communicator_.barrier();
}

void OutputFile::complete(const Provenance& provenance, const std::string& end_time) {
  write_attribute(*dataset_, "version", std::string(version));
  write_attribute(*dataset_, "commit", std::string(commit));
  write_attribute(*dataset_, "backend", provenance.backend);
  write_attribute(*dataset_, "device", provenance.device);
  write_attribute(*dataset_, "precision", provenance.precision);
  write_attribute(*dataset_, "algorithm", provenance.algorithm);
  write_attribute(*dataset_, "ranks", provenance.ranks);
  write_attribute(*dataset_, "input_file", provenance.input_file);
  write_attribute(*dataset_, "input_file_size", provenance.input_file_size);
  write_attribute(*dataset_, "start_time", provenance.start_time);
  write_attribute(*dataset_, "end_time", end_time);
  file_->flush();
  write_attribute(*dataset_, "complete", std::int64_t{1});
  dataset_->close();
  file_->close();
}

void OutputFile::discard() noexcept {
  // Only what create() made: a file of this name that was there before is somebody else's.
  if (!file_) return;
  std::error_code ignored;
  std::filesystem::remove(unfinished_name_, ignored);
}

}  // namespace fusedconv::app::hdf5
