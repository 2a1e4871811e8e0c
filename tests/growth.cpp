// SPDX-License-Identifier: Apache-2.0
//
// Loaded before the C library (LD_PRELOAD), writes a line of what the process has into the file
// FUSEDCONV_TEST_GROWTH with the rank at its end, whenever fusedconv_app has given an output its
// name: bytes of resident memory, descriptors, threads, open identifiers of HDF5, and
// communicators, groups, infos and files of MPI.
#include <dlfcn.h>
#include <hdf5.h>
#include <mpi.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "process_state.hpp"

namespace {

template <class Function>
Function* find(void* where, const char* name) {
  void* const symbol = dlsym(where, name);
  if (symbol == nullptr) std::abort();
  Function* function = nullptr;
  std::memcpy(&function, &symbol, sizeof function);
  return function;
}

/// The function that this library's own stands before.
template <class Function>
Function* next(const char* name) {
  return find<Function>(RTLD_NEXT, name);
}

/// Property lists, dataspaces and datatypes, which H5Fget_obj_count does not count.
std::atomic<long> hdf5_values = 0;
std::atomic<long> communicators = 0;
std::atomic<long> groups = 0;
std::atomic<long> infos = 0;
std::atomic<long> files = 0;

int counted(int status, std::atomic<long>& objects, int change) {
  if (status == MPI_SUCCESS) objects += change;
  return status;
}

/// Open files, datasets and attributes.
long hdf5_objects() {
  return find<decltype(H5Fget_obj_count)>(RTLD_DEFAULT, "H5Fget_obj_count")(
      static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL);
}

template <class... Arguments>
hid_t opened(const char* name, Arguments... arguments) {
  const hid_t id = next<hid_t(Arguments...)>(name)(arguments...);
  if (id >= 0) ++hdf5_values;
  return id;
}

herr_t closed(const char* name, hid_t id) {
  const herr_t status = next<herr_t(hid_t)>(name)(id);
  if (status >= 0) --hdf5_values;
  return status;
}

void write_line() {
  const char* const path = std::getenv("FUSEDCONV_TEST_GROWTH");
  if (path == nullptr) return;
  const char* const rank = std::getenv("OMPI_COMM_WORLD_RANK");
  const fusedconv::test::ProcessState state = fusedconv::test::process_state();
  std::ofstream(std::string(path) + (rank == nullptr ? "0" : rank), std::ios::app)
      << state.resident_bytes << " " << state.descriptors << " " << state.threads << " "
      << hdf5_objects() << " " << hdf5_values << " " << communicators << " " << groups << " "
      << infos << " " << files << "\n";
}

}  // namespace

extern "C" {

int rename(const char* from, const char* to) noexcept {
  const int status = next<int(const char*, const char*)>("rename")(from, to);
  if (status == 0 && std::string_view(from).ends_with(".part")) write_line();
  return status;
}

hid_t H5Pcreate(hid_t of) { return opened("H5Pcreate", of); }
hid_t H5Dget_create_plist(hid_t of) { return opened("H5Dget_create_plist", of); }
hid_t H5Dget_access_plist(hid_t of) { return opened("H5Dget_access_plist", of); }
hid_t H5Screate(H5S_class_t of) { return opened("H5Screate", of); }
hid_t H5Screate_simple(int rank, const hsize_t* extents, const hsize_t* most) {
  return opened("H5Screate_simple", rank, extents, most);
}
hid_t H5Dget_space(hid_t of) { return opened("H5Dget_space", of); }
hid_t H5Aget_space(hid_t of) { return opened("H5Aget_space", of); }
hid_t H5Tcopy(hid_t of) { return opened("H5Tcopy", of); }
hid_t H5Dget_type(hid_t of) { return opened("H5Dget_type", of); }
hid_t H5Aget_type(hid_t of) { return opened("H5Aget_type", of); }
herr_t H5Pclose(hid_t id) { return closed("H5Pclose", id); }
herr_t H5Sclose(hid_t id) { return closed("H5Sclose", id); }
herr_t H5Tclose(hid_t id) { return closed("H5Tclose", id); }

int MPI_Comm_dup(MPI_Comm of, MPI_Comm* made) {
  return counted(next<decltype(MPI_Comm_dup)>("MPI_Comm_dup")(of, made), communicators, 1);
}

int MPI_Comm_create_group(MPI_Comm of, MPI_Group group, int tag, MPI_Comm* made) {
  return counted(
      next<decltype(MPI_Comm_create_group)>("MPI_Comm_create_group")(of, group, tag, made),
      communicators, 1);
}

int MPI_Comm_free(MPI_Comm* communicator) {
  return counted(next<decltype(MPI_Comm_free)>("MPI_Comm_free")(communicator), communicators, -1);
}

int MPI_Comm_group(MPI_Comm of, MPI_Group* made) {
  return counted(next<decltype(MPI_Comm_group)>("MPI_Comm_group")(of, made), groups, 1);
}

int MPI_Group_range_incl(MPI_Group of, int count, int ranges[][3], MPI_Group* made) {
  return counted(
      next<decltype(MPI_Group_range_incl)>("MPI_Group_range_incl")(of, count, ranges, made), groups,
      1);
}

int MPI_Group_free(MPI_Group* group) {
  return counted(next<decltype(MPI_Group_free)>("MPI_Group_free")(group), groups, -1);
}

int MPI_Info_create(MPI_Info* made) {
  return counted(next<decltype(MPI_Info_create)>("MPI_Info_create")(made), infos, 1);
}

int MPI_Info_dup(MPI_Info of, MPI_Info* made) {
  return counted(next<decltype(MPI_Info_dup)>("MPI_Info_dup")(of, made), infos, 1);
}

int MPI_Info_free(MPI_Info* info) {
  return counted(next<decltype(MPI_Info_free)>("MPI_Info_free")(info), infos, -1);
}

int MPI_File_open(MPI_Comm of, const char* name, int mode, MPI_Info info, MPI_File* made) {
  return counted(next<decltype(MPI_File_open)>("MPI_File_open")(of, name, mode, info, made), files,
                 1);
}

int MPI_File_close(MPI_File* file) {
  return counted(next<decltype(MPI_File_close)>("MPI_File_close")(file), files, -1);
}
}
