// SPDX-License-Identifier: Apache-2.0
#include "file_mutations.hpp"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <functional>
#include <numeric>
#include <vector>

namespace fusedconv::fuzz {

namespace {

using Extents = std::vector<hsize_t>;
using Decisions = FuzzedDataProvider;

/// Bytes of a dataset. In chunks of an element each, HDF5 takes its time with more of them.
constexpr hsize_t most_written = 1 << 14;

/// A filter that the reading process does not have.
constexpr H5Z_filter_t absent_filter = 300;

constexpr std::array dataset_names{"input", "conv.weight",       "conv.bias", "bias",
                                   "scale", "group_norm.weight", "output",    "group_norm.bias"};
constexpr std::array attribute_names{"conv.stride", "conv.padding",          "conv.dilation",
                                     "conv.groups", "group_norm.num_groups", "group_norm.eps",
                                     "activation"};
constexpr std::array output_attribute_names{"complete", "fingerprint", "version", "device",
                                            "ranks"};

/// Closes what HDF5 opened, and does nothing about what HDF5 refused to open.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  ~Id() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

std::size_t pass(unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) {
  return bytes;
}

const H5Z_class2_t filter_class{H5Z_CLASS_T_VERS, absent_filter, 1,       1,
                                "absent",         nullptr,       nullptr, pass};

hsize_t extent(Decisions& decisions) {
  switch (decisions.ConsumeIntegralInRange(0, 7)) {
    case 0:
      return 0;
    case 1:
      return hsize_t{1} << decisions.ConsumeIntegralInRange(20, 62);
    case 2:
      return decisions.ConsumeIntegralInRange<hsize_t>(0, 70);
    default:
      return decisions.ConsumeIntegralInRange<hsize_t>(1, 8);
  }
}

Extents extents(Decisions& decisions) {
  static const std::array<Extents, 6> usual{
      {{2, 4, 6, 5}, {8, 4, 3, 3}, {8}, {8, 1, 1}, {1, 8, 1, 1}, {2, 8, 4, 3}}};
  const int form = decisions.ConsumeIntegralInRange(0, 9);
  if (form < 6) return usual[static_cast<std::size_t>(form)];
  Extents some(decisions.ConsumeIntegralInRange<std::size_t>(0, 6));
  for (hsize_t& one : some) one = extent(decisions);
  return some;
}

hid_t space_of(const Extents& extents, Decisions& decisions) {
  const int form = decisions.ConsumeIntegralInRange(0, 15);
  if (form == 0) return H5Screate(H5S_NULL);
  if (extents.empty()) return H5Screate(H5S_SCALAR);
  const Extents unlimited(extents.size(), H5S_UNLIMITED);
  return H5Screate_simple(static_cast<int>(extents.size()), extents.data(),
                          form == 1 ? unlimited.data() : nullptr);
}

hid_t type_of(Decisions& decisions) {
  switch (decisions.ConsumeIntegralInRange(0, 20)) {
    case 0:
      return H5Tcopy(H5T_IEEE_F64BE);
    case 1:
      return H5Tcopy(H5T_STD_U64LE);
    case 2:
      return H5Tcopy(H5T_STD_I8LE);
    case 3:
      return H5Tcopy(H5T_NATIVE_LDOUBLE);
    case 4:
      return H5Tcopy(H5T_C_S1);
    case 5: {
      const hid_t type = H5Tcopy(H5T_C_S1);
      H5Tset_size(type, H5T_VARIABLE);
      return type;
    }
    case 6: {
      const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
      H5Tinsert(type, "re", 0, H5T_IEEE_F32LE);
      H5Tinsert(type, "im", 4, H5T_IEEE_F32LE);
      return type;
    }
    case 7: {
      const hid_t type = H5Tenum_create(H5T_STD_I32LE);
      const int value = 1;
      H5Tenum_insert(type, "one", &value);
      return type;
    }
    case 8:
      return H5Tcopy(H5T_STD_REF_OBJ);
    case 9:
      return H5Tcopy(H5T_STD_REF_DSETREG);
    case 10:
      return H5Tcreate(H5T_OPAQUE, decisions.ConsumeIntegralInRange<std::size_t>(1, 100));
    case 11:
      return H5Tcopy(H5T_STD_B8LE);
    case 12:
      return H5Tvlen_create(H5T_IEEE_F32LE);
    case 13: {
      const std::array<hsize_t, 2> of{2, 3};
      return H5Tarray_create2(H5T_IEEE_F32LE, 2, of.data());
    }
    case 14: {
      const hid_t type = H5Tcopy(H5T_STD_I64LE);
      H5Tset_size(type, decisions.ConsumeIntegralInRange<std::size_t>(1, 300));
      return type;
    }
    case 15: {
      const hid_t type = H5Tcopy(H5T_STD_I32LE);
      H5Tset_precision(type, decisions.ConsumeIntegralInRange<std::size_t>(1, 32));
      H5Tset_offset(type, decisions.ConsumeIntegralInRange<std::size_t>(0, 31));
      return type;
    }
    case 16: {
      const hid_t type = H5Tcopy(H5T_C_S1);
      H5Tset_size(type, decisions.ConsumeIntegralInRange<std::size_t>(1, most_written));
      return type;
    }
    default:
      return H5Tcopy(H5T_IEEE_F32LE);
  }
}

hsize_t elements(const Extents& extents) {
  return std::accumulate(extents.begin(), extents.end(), hsize_t{1}, [](hsize_t a, hsize_t b) {
    return b != 0 && a > (hsize_t{1} << 40) / b ? hsize_t{1} << 40 : a * b;
  });
}

/// Whether bytes of any value may stand for its elements.
bool is_plain(hid_t type) {
  const H5T_class_t of = H5Tget_class(type);
  return of == H5T_INTEGER || of == H5T_FLOAT || of == H5T_OPAQUE || of == H5T_BITFIELD ||
         (of == H5T_STRING && H5Tis_variable_str(type) == 0);
}

/// \return whether HDF5 took all of it; with what it has left else it ends the process
bool add_virtual(hid_t creation, const Extents& of, const std::string& directory,
                 Decisions& decisions) {
  static const std::array<const char*, 5> files{".", "forbidden.h5", "%b.h5", "none.h5",
                                                "mutated.h5"};
  const int sources = decisions.ConsumeIntegralInRange(1, 3);
  for (int number = 0; number < sources && !of.empty(); ++number) {
    const Id part(H5Screate_simple(static_cast<int>(of.size()), of.data(), nullptr), H5Sclose);
    const Extents source_of = decisions.ConsumeBool() ? of : extents(decisions);
    if (source_of.empty()) continue;
    const Id source(H5Screate_simple(static_cast<int>(source_of.size()), source_of.data(), nullptr),
                    H5Sclose);
    if (decisions.ConsumeBool()) {
      Extents start(of.size());
      Extents count(of.size(), 1);
      start[0] = decisions.ConsumeIntegralInRange<hsize_t>(0, 3);
      count[0] = decisions.ConsumeIntegralInRange(0, 9) == 0
                     ? H5S_UNLIMITED
                     : decisions.ConsumeIntegralInRange<hsize_t>(1, 3);
      H5Sselect_hyperslab(part, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
      if (source_of.size() == of.size()) {
        H5Sselect_hyperslab(source, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
      }
    }
    const std::string file = decisions.PickValueInArray(files);
    const std::string path = decisions.ConsumeBool() || file == "." ? file : directory + "/" + file;
    if (H5Pset_virtual(creation, part, path.c_str(), decisions.PickValueInArray(dataset_names),
                       source) < 0) {
      return false;
    }
  }
  return true;
}

/// \return whether a dataset can be made so
bool choose_layout(hid_t creation, const Extents& of, const std::string& directory,
                   Decisions& decisions) {
  switch (decisions.ConsumeIntegralInRange(0, 7)) {
    case 0:
    case 1: {
      Extents chunk = of;
      for (hsize_t& one : chunk) {
        one = decisions.ConsumeBool() ? std::clamp<hsize_t>(one, 1, 1 << 10) : 1;
      }
      if (!chunk.empty()) H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
      const int filter = decisions.ConsumeIntegralInRange(0, 6);
      if (filter == 0) H5Pset_deflate(creation, 1);
      if (filter == 1) H5Pset_fletcher32(creation);
      if (filter == 2) H5Pset_filter(creation, absent_filter, H5Z_FLAG_MANDATORY, 0, nullptr);
      if (filter == 3) H5Pset_filter(creation, absent_filter, H5Z_FLAG_OPTIONAL, 0, nullptr);
      if (filter == 4) H5Pset_scaleoffset(creation, H5Z_SO_FLOAT_DSCALE, 2);
      if (filter == 5) H5Pset_nbit(creation);
      break;
    }
    case 2:
      H5Pset_layout(creation, H5D_COMPACT);
      break;
    case 3:
      H5Pset_external(creation, (directory + "/forbidden.h5").c_str(),
                      decisions.ConsumeIntegralInRange(0, 5000),
                      decisions.ConsumeBool() ? H5F_UNLIMITED : 400);
      break;
    case 4:
      return add_virtual(creation, of, directory, decisions);
    default:
      break;
  }
  return true;
}

void replace_dataset(hid_t file, const std::string& directory, Decisions& decisions) {
  const char* const name = decisions.PickValueInArray(dataset_names);
  H5Ldelete(file, name, H5P_DEFAULT);
  const Extents of = extents(decisions);
  const Id space(space_of(of, decisions), H5Sclose);
  const Id type(type_of(decisions), H5Tclose);
  const Id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  if (!choose_layout(creation, of, directory, decisions)) return;
  // HDF5 does not survive writing a virtual dataset without extents.
  if (H5Pget_layout(creation) == H5D_VIRTUAL && H5Sget_simple_extent_type(space) != H5S_SIMPLE) {
    return;
  }
  if (decisions.ConsumeBool()) H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
  const hsize_t bytes = elements(of) * std::max<std::size_t>(1, H5Tget_size(type));
  // What is large is declared and not written.
  if (bytes > most_written && H5Pget_layout(creation) != H5D_CHUNKED) {
    H5Pset_alloc_time(creation, H5D_ALLOC_TIME_LATE);
  }
  const Id dataset(H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT),
                   H5Dclose);
  if (dataset < 0 || bytes > most_written || !is_plain(type) || decisions.ConsumeBool()) return;
  // Not into a forbidden file, nor through a virtual dataset to itself.
  if (H5Pget_external_count(creation) > 0 || H5Pget_layout(creation) == H5D_VIRTUAL) return;
  const std::vector<unsigned char> values(bytes, decisions.ConsumeIntegral<unsigned char>());
  H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

/// \param owner the root group or a dataset
void replace_attribute(hid_t owner, const char* name, Decisions& decisions) {
  H5Adelete(owner, name);
  Extents of;
  for (int rank = decisions.ConsumeIntegralInRange(0, 3); rank > 0; --rank) {
    of.push_back(decisions.ConsumeIntegralInRange<hsize_t>(0, 40));
  }
  const Id space(space_of(of, decisions), H5Sclose);
  const Id type(type_of(decisions), H5Tclose);
  if (elements(of) * H5Tget_size(type) > most_written) return;
  const Id attribute(H5Acreate2(owner, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (attribute < 0) return;
  std::vector<unsigned char> values(elements(of) * H5Tget_size(type), '\0');
  if (!is_plain(type)) {
    if (H5Tis_variable_str(type) <= 0 || elements(of) != 1) return;
    const std::string text = decisions.ConsumeRandomLengthString(40);
    const char* const pointer = text.c_str();
    H5Awrite(attribute, type, &pointer);
    return;
  }
  const std::string some = decisions.ConsumeRandomLengthString(40);
  std::copy_n(some.begin(), std::min(some.size(), values.size()), values.begin());
  if (!values.empty()) H5Awrite(attribute, type, values.data());
}

void set_number(hid_t file, Decisions& decisions) {
  const char* const name = decisions.PickValueInArray(attribute_names);
  H5Adelete(file, name);
  const Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const Id attribute(H5Acreate2(file, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
                     H5Aclose);
  const auto value = decisions.ConsumeBool()
                         ? decisions.ConsumeIntegral<std::int64_t>()
                         : decisions.ConsumeIntegralInRange<std::int64_t>(-1, 9);
  H5Awrite(attribute, H5T_NATIVE_INT64, &value);
}

void replace_by_link(hid_t file, const std::string& directory, Decisions& decisions) {
  const char* const name = decisions.PickValueInArray(dataset_names);
  const char* const other = decisions.PickValueInArray(dataset_names);
  H5Ldelete(file, name, H5P_DEFAULT);
  const std::string forbidden = forbidden_file(directory);
  switch (decisions.ConsumeIntegralInRange(0, 6)) {
    case 0:
      H5Lcreate_soft(other, file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case 1:
      H5Lcreate_soft("/nowhere/at/all", file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case 2:
      H5Lcreate_external(forbidden.c_str(), other, file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case 3:
      // By way of another link.
      H5Lcreate_external(forbidden.c_str(), "/", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
      H5Lcreate_soft((std::string("/elsewhere/") + other).c_str(), file, name, H5P_DEFAULT,
                     H5P_DEFAULT);
      break;
    case 4:
      H5Lcreate_hard(file, other, file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case 5:
      H5Lcreate_hard(file, "/", file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    default:
      H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      break;
  }
}

void commit_type(hid_t file, Decisions& decisions) {
  const char* const name = decisions.PickValueInArray(dataset_names);
  H5Ldelete(file, name, H5P_DEFAULT);
  const Id type(type_of(decisions), H5Tclose);
  H5Tcommit2(file, name, type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

void replace_output_attribute(hid_t file, Decisions& decisions) {
  const Id output(H5Dopen2(file, "output", H5P_DEFAULT), H5Dclose);
  if (output >= 0) {
    replace_attribute(output, decisions.PickValueInArray(output_attribute_names), decisions);
  }
}

void write_floats(hid_t file, const char* name, const Extents& of) {
  const Id space(H5Screate_simple(static_cast<int>(of.size()), of.data(), nullptr), H5Sclose);
  const Id dataset(
      H5Dcreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Dclose);
  const std::vector<float> values(elements(of), 0.5F);
  H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

void write_valid(hid_t file) {
  write_floats(file, "input", {2, 4, 6, 5});
  write_floats(file, "conv.weight", {8, 4, 3, 3});
  for (const char* name : {"conv.bias", "bias", "scale", "group_norm.weight", "group_norm.bias"}) {
    write_floats(file, name, {8});
  }
  write_floats(file, "output", {2, 8, 4, 3});
  const Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const Id output(H5Dopen2(file, "output", H5P_DEFAULT), H5Dclose);
  const auto integer = [&](hid_t owner, const char* name, std::int64_t value) {
    const Id attribute(H5Acreate2(owner, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
                       H5Aclose);
    H5Awrite(attribute, H5T_NATIVE_INT64, &value);
  };
  integer(file, "group_norm.num_groups", 4);
  integer(output, "complete", 1);
  const Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, 16);
  for (const char* name : {"fingerprint", "version", "device"}) {
    const Id attribute(H5Acreate2(output, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    H5Awrite(attribute, type, "0123456789abcde");
  }
}

/// Opens no file but the one that it is given.
void mutate(hid_t file, const std::string& directory, Decisions& decisions) {
  const std::array<std::function<void()>, 9> mutations{
      [&] { replace_dataset(file, directory, decisions); },
      [&] { replace_dataset(file, directory, decisions); },
      [&] { replace_attribute(file, decisions.PickValueInArray(attribute_names), decisions); },
      [&] { H5Adelete(file, decisions.PickValueInArray(attribute_names)); },
      [&] { set_number(file, decisions); },
      [&] { replace_by_link(file, directory, decisions); },
      [&] { H5Ldelete(file, decisions.PickValueInArray(dataset_names), H5P_DEFAULT); },
      [&] { commit_type(file, decisions); },
      [&] { replace_output_attribute(file, decisions); }};
  mutations[decisions.ConsumeIntegralInRange<std::size_t>(0, mutations.size() - 1)]();
}

}  // namespace

std::string forbidden_file(const std::string& directory) { return directory + "/forbidden.h5"; }

void write_mutated(const std::string& path, const std::string& directory, Decisions& decisions) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5Zregister(&filter_class);
  {
    const Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    if (decisions.ConsumeBool()) H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    const Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
    write_valid(file);
    const int mutations = decisions.ConsumeIntegralInRange(0, 6);
    for (int number = 0; number < mutations; ++number) mutate(file, directory, decisions);
  }
  H5Zunregister(absent_filter);
}

void flip_bytes(const std::string& path, Decisions& decisions) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto size = static_cast<std::int64_t>(file.tellg());
  while (size > 0 && decisions.remaining_bytes() >= 3) {
    file.seekp(decisions.ConsumeIntegralInRange<std::int64_t>(0, size - 1));
    file.put(decisions.ConsumeIntegral<char>());
  }
}

}  // namespace fusedconv::fuzz
