// SPDX-License-Identifier: Apache-2.0
//
// The calls of HDF5's that the application makes: tests compare the list with what it imports.
// Those that HDF5 makes of itself are not counted.
#include <hdf5.h>

#include "fault.hpp"

namespace {

/// Of calls within calls, which are HDF5's own.
thread_local int depth = 0;

template <class Result, class... Arguments>
Result call_or_fail(const char* name, Result failure, Arguments... arguments) {
  using namespace fusedconv::test;
  if (depth == 0 && effect_at(Calls::hdf5) == Effect::fails) return failure;
  ++depth;
  const Result result = next<Result(Arguments...)>(name)(arguments...);
  --depth;
  return result;
}

}  // namespace

// Macros of this file alone: only they give functions HDF5's names.
// NOLINTBEGIN(cppcoreguidelines-macro-usage,readability-identifier-naming)

// With what HDF5 defines the name to be.
#define NAME_OF(name) #name

// A function of one to eight arguments of these types, and what it returns where it fails.
#define CALL_1(result, failure, name, A) \
  result name(A a) { return call_or_fail<result, A>(NAME_OF(name), failure, a); }
#define CALL_2(result, failure, name, A, B) \
  result name(A a, B b) { return call_or_fail<result, A, B>(NAME_OF(name), failure, a, b); }
#define CALL_3(result, failure, name, A, B, C)                             \
  result name(A a, B b, C c) {                                             \
    return call_or_fail<result, A, B, C>(NAME_OF(name), failure, a, b, c); \
  }
#define CALL_4(result, failure, name, A, B, C, D)                                \
  result name(A a, B b, C c, D d) {                                              \
    return call_or_fail<result, A, B, C, D>(NAME_OF(name), failure, a, b, c, d); \
  }
#define CALL_5(result, failure, name, A, B, C, D, E)                                   \
  result name(A a, B b, C c, D d, E e) {                                               \
    return call_or_fail<result, A, B, C, D, E>(NAME_OF(name), failure, a, b, c, d, e); \
  }
#define CALL_6(result, failure, name, A, B, C, D, E, F)                                      \
  result name(A a, B b, C c, D d, E e, F f) {                                                \
    return call_or_fail<result, A, B, C, D, E, F>(NAME_OF(name), failure, a, b, c, d, e, f); \
  }
#define CALL_7(result, failure, name, A, B, C, D, E, F, G)                                         \
  result name(A a, B b, C c, D d, E e, F f, G g) {                                                 \
    return call_or_fail<result, A, B, C, D, E, F, G>(NAME_OF(name), failure, a, b, c, d, e, f, g); \
  }

#define CALL_8(result, failure, name, A, B, C, D, E, F, G, H)                                     \
  result name(A a, B b, C c, D d, E e, F f, G g, H h) {                                           \
    return call_or_fail<result, A, B, C, D, E, F, G, H>(NAME_OF(name), failure, a, b, c, d, e, f, \
                                                        g, h);                                    \
  }

// NOLINTEND(cppcoreguidelines-macro-usage,readability-identifier-naming)

extern "C" {

CALL_1(herr_t, -1, H5Aclose, hid_t)
CALL_6(hid_t, -1, H5Acreate2, hid_t, const char*, hid_t, hid_t, hid_t, hid_t)
CALL_2(herr_t, -1, H5Adelete, hid_t, const char*)
CALL_2(htri_t, -1, H5Aexists, hid_t, const char*)
CALL_1(hid_t, -1, H5Aget_space, hid_t)
CALL_1(hid_t, -1, H5Aget_type, hid_t)
CALL_3(hid_t, -1, H5Aopen, hid_t, const char*, hid_t)
CALL_3(herr_t, -1, H5Aread, hid_t, hid_t, void*)
CALL_3(herr_t, -1, H5Awrite, hid_t, hid_t, const void*)
CALL_1(herr_t, -1, H5Dclose, hid_t)
CALL_7(hid_t, -1, H5Dcreate2, hid_t, const char*, hid_t, hid_t, hid_t, hid_t, hid_t)
CALL_1(hid_t, -1, H5Dget_access_plist, hid_t)
CALL_1(hid_t, -1, H5Dget_create_plist, hid_t)
CALL_3(herr_t, -1, H5Dget_num_chunks, hid_t, hid_t, hsize_t*)
CALL_1(haddr_t, HADDR_UNDEF, H5Dget_offset, hid_t)
CALL_1(hid_t, -1, H5Dget_space, hid_t)
CALL_1(hsize_t, 0, H5Dget_storage_size, hid_t)
CALL_1(hid_t, -1, H5Dget_type, hid_t)
CALL_3(hid_t, -1, H5Dopen2, hid_t, const char*, hid_t)
CALL_6(herr_t, -1, H5Dread, hid_t, hid_t, hid_t, hid_t, hid_t, void*)
CALL_6(herr_t, -1, H5Dwrite, hid_t, hid_t, hid_t, hid_t, hid_t, const void*)
CALL_3(herr_t, -1, H5Eset_auto2, hid_t, H5E_auto2_t, void*)
CALL_1(herr_t, -1, H5Fclose, hid_t)
CALL_4(hid_t, -1, H5Fcreate, const char*, unsigned, hid_t, hid_t)
CALL_2(herr_t, -1, H5Fflush, hid_t, H5F_scope_t)
CALL_3(ssize_t, -1, H5Fget_name, hid_t, char*, size_t)
CALL_1(htri_t, -1, H5Fis_hdf5, const char*)
CALL_3(hid_t, -1, H5Fopen, const char*, unsigned, hid_t)
CALL_1(H5I_type_t, H5I_BADID, H5Iget_type, hid_t)
CALL_3(htri_t, -1, H5Lexists, hid_t, const char*, hid_t)
CALL_4(herr_t, -1, H5Lget_info, hid_t, const char*, H5L_info_t*, hid_t)
CALL_1(herr_t, -1, H5Oclose, hid_t)
CALL_3(htri_t, -1, H5Oexists_by_name, hid_t, const char*, hid_t)
CALL_3(hid_t, -1, H5Oopen, hid_t, const char*, hid_t)
CALL_1(herr_t, -1, H5PLset_loading_state, unsigned)
CALL_1(herr_t, -1, H5Pclose, hid_t)
CALL_1(hid_t, -1, H5Pcreate, hid_t)
CALL_3(int, -1, H5Pget_chunk, hid_t, int, hsize_t*)
CALL_3(ssize_t, -1, H5Pget_efile_prefix, hid_t, char*, size_t)
CALL_6(herr_t, -1, H5Pget_external, hid_t, unsigned, size_t, char*, off_t*, hsize_t*)
CALL_1(int, -1, H5Pget_external_count, hid_t)
CALL_8(H5Z_filter_t, H5Z_FILTER_ERROR, H5Pget_filter2, hid_t, unsigned, unsigned*, size_t*,
       unsigned*, size_t, char*, unsigned*)
CALL_1(H5D_layout_t, H5D_LAYOUT_ERROR, H5Pget_layout, hid_t)
CALL_1(int, -1, H5Pget_nfilters, hid_t)
CALL_2(herr_t, -1, H5Pget_virtual_count, hid_t, size_t*)
CALL_4(ssize_t, -1, H5Pget_virtual_dsetname, hid_t, size_t, char*, size_t)
CALL_4(ssize_t, -1, H5Pget_virtual_filename, hid_t, size_t, char*, size_t)
CALL_2(hid_t, -1, H5Pget_virtual_srcspace, hid_t, size_t)
CALL_2(hid_t, -1, H5Pget_virtual_vspace, hid_t, size_t)
CALL_3(herr_t, -1, H5Pset_alignment, hid_t, hsize_t, hsize_t)
CALL_2(herr_t, -1, H5Pset_alloc_time, hid_t, H5D_alloc_time_t)
CALL_3(herr_t, -1, H5Pset_chunk, hid_t, int, const hsize_t*)
CALL_2(herr_t, -1, H5Pset_deflate, hid_t, unsigned)
CALL_2(herr_t, -1, H5Pset_dxpl_mpio, hid_t, H5FD_mpio_xfer_t)
CALL_3(herr_t, -1, H5Pset_elink_cb, hid_t, H5L_elink_traverse_t, void*)
CALL_3(herr_t, -1, H5Pset_fapl_mpio, hid_t, MPI_Comm, MPI_Info)
CALL_2(herr_t, -1, H5Pset_fill_time, hid_t, H5D_fill_time_t)
CALL_5(herr_t, -1, H5Pset_filter, hid_t, H5Z_filter_t, unsigned, size_t, const unsigned*)
CALL_2(herr_t, -1, H5Pset_layout, hid_t, H5D_layout_t)
CALL_2(herr_t, -1, H5Pset_obj_track_times, hid_t, hbool_t)
CALL_1(herr_t, -1, H5Pset_shuffle, hid_t)
CALL_2(herr_t, -1, H5Pset_sieve_buf_size, hid_t, size_t)
CALL_1(herr_t, -1, H5Sclose, hid_t)
CALL_1(hid_t, -1, H5Screate, H5S_class_t)
CALL_3(hid_t, -1, H5Screate_simple, int, const hsize_t*, const hsize_t*)
CALL_3(herr_t, -1, H5Sget_select_bounds, hid_t, hsize_t*, hsize_t*)
CALL_1(hssize_t, -1, H5Sget_select_npoints, hid_t)
CALL_1(H5S_sel_type, H5S_SEL_ERROR, H5Sget_select_type, hid_t)
CALL_3(int, -1, H5Sget_simple_extent_dims, hid_t, hsize_t*, hsize_t*)
CALL_1(int, -1, H5Sget_simple_extent_ndims, hid_t)
CALL_1(hssize_t, -1, H5Sget_simple_extent_npoints, hid_t)
CALL_1(H5S_class_t, H5S_NO_CLASS, H5Sget_simple_extent_type, hid_t)
CALL_3(herr_t, -1, H5Smodify_select, hid_t, H5S_seloper_t, hid_t)
CALL_6(herr_t, -1, H5Sselect_hyperslab, hid_t, H5S_seloper_t, const hsize_t*, const hsize_t*,
       const hsize_t*, const hsize_t*)
CALL_1(herr_t, -1, H5Sselect_none, hid_t)
CALL_1(herr_t, -1, H5Tclose, hid_t)
CALL_1(hid_t, -1, H5Tcopy, hid_t)
CALL_2(htri_t, -1, H5Tequal, hid_t, hid_t)
CALL_1(H5T_class_t, H5T_NO_CLASS, H5Tget_class, hid_t)
CALL_6(herr_t, -1, H5Tget_fields, hid_t, size_t*, size_t*, size_t*, size_t*, size_t*)
CALL_1(int, -1, H5Tget_offset, hid_t)
CALL_1(size_t, 0, H5Tget_precision, hid_t)
CALL_1(size_t, 0, H5Tget_size, hid_t)
CALL_1(H5T_str_t, H5T_STR_ERROR, H5Tget_strpad, hid_t)
CALL_1(htri_t, -1, H5Tis_variable_str, hid_t)
CALL_2(herr_t, -1, H5Tset_cset, hid_t, H5T_cset_t)
CALL_2(herr_t, -1, H5Tset_ebias, hid_t, size_t)
CALL_6(herr_t, -1, H5Tset_fields, hid_t, size_t, size_t, size_t, size_t, size_t)
CALL_2(herr_t, -1, H5Tset_size, hid_t, size_t)
CALL_1(htri_t, -1, H5Zfilter_avail, H5Z_filter_t)
CALL_1(herr_t, -1, H5free_memory, void*)
}
