// SPDX-License-Identifier: Apache-2.0
#include "file_access.hpp"

#include "../communicator.hpp"

namespace fusedconv::app::hdf5 {

namespace {

/// HDF5 keeps a copy.
class Info {
 public:
  explicit Info(const Hints& hints) {
    if (hints.empty()) return;
    MPI_Info_create(&info_);
    for (const auto& [key, value] : hints) MPI_Info_set(info_, key.c_str(), value.c_str());
  }
  Info(const Info&) = delete;
  Info& operator=(const Info&) = delete;
  ~Info() {
    if (info_ != MPI_INFO_NULL) MPI_Info_free(&info_);
  }

  MPI_Info get() const { return info_; }

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

PropertyList unbuffered_access() {
  PropertyList access(H5P_FILE_ACCESS);
  check(H5Pset_sieve_buf_size(access.id(), 0), access.name(), "do without a sieve buffer");
  return access;
}

void use_mpi_io(const PropertyList& access, MPI_Comm communicator, const Hints& hints) {
  const Info info(hints);
  check(H5Pset_fapl_mpio(access.id(), communicator, info.get()), access.name(), "choose MPI-IO");
}

}  // namespace

PropertyList access_by(const Communicator& communicator, const Hints& hints) {
  PropertyList access = unbuffered_access();
  if (communicator.size() > 1) use_mpi_io(access, communicator.get(), hints);
  return access;
}

PropertyList access_alone() { return unbuffered_access(); }

PropertyList access_to_create(const Hints& hints) {
  PropertyList access = unbuffered_access();
  if (!hints.empty()) use_mpi_io(access, MPI_COMM_SELF, hints);
  return access;
}

}  // namespace fusedconv::app::hdf5
