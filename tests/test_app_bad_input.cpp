// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "app_files.hpp"
#include "app_program.hpp"
#include "temporary_directory.hpp"
#include "text_pattern.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

/// A change that makes a valid file a bad one, and the sentence that says so.
struct BadInput {
  std::string name;
  std::function<void(const std::string& path)> spoil;
  std::string sentence;             ///< what must be said after the name of the file
  std::string arguments = "";       ///< more of them; @ stands for the file's directory
  std::string file = "@/input.h5";  ///< which is named
};

void PrintTo(const BadInput& bad, std::ostream* out) { *out << bad.name; }

std::function<void(const std::string&)> dataset(const std::string& name, const Extents& extents,
                                                hid_t (*type)() = nullptr) {
  return [=](const std::string& path) {
    replace_dataset(path, name, {extents, type == nullptr ? H5T_IEEE_F32LE : type()}, {});
  };
}

std::function<void(const std::string&)> zeros(const std::string& name, const Extents& extents) {
  return [=](const std::string& path) {
    hsize_t size = 1;
    for (const hsize_t extent : extents) size *= extent;
    replace_dataset(path, name, {extents}, std::vector<float>(size));
  };
}

template <class Value>
std::function<void(const std::string&)> attribute(const std::string& name, Value value) {
  return [=](const std::string& path) { replace_attribute(path, name, value); };
}

std::function<void(const std::string&)> attribute(const std::string& name,
                                                  const std::vector<std::int64_t>& values) {
  return [=](const std::string& path) {
    replace_attribute(path, name, H5T_STD_I64LE, {values.size()}, H5T_NATIVE_INT64, values.data());
  };
}

std::function<void(const std::string&)> string_attribute(const std::string& name) {
  return
      [=](const std::string& path) { replace_attribute(path, name, H5T_C_S1, {}, H5T_C_S1, "4"); };
}

std::function<void(const std::string&)> removed(const std::string& name) {
  return [=](const std::string& path) { remove_object(path, name); };
}

void nothing(const std::string&) {}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

hid_t string_type() { return H5T_C_S1; }

hid_t compound_type() {
  static const hid_t type = [] {
    const hid_t compound = require(H5Tcreate(H5T_COMPOUND, 8));
    require(H5Tinsert(compound, "re", 0, H5T_IEEE_F32LE));
    require(H5Tinsert(compound, "im", 4, H5T_IEEE_F32LE));
    return compound;
  }();
  return type;
}

hid_t wide_type() {
  static const hid_t type = [] {
    const hid_t wide = require(H5Tcopy(H5T_STD_I64LE));
    require(H5Tset_size(wide, 300));
    return wide;
  }();
  return type;
}

hid_t reference_type() { return H5T_STD_REF_OBJ; }

hid_t sequence_type() {
  static const hid_t type = require(H5Tvlen_create(H5T_IEEE_F32LE));
  return type;
}

hid_t enumerated_type() {
  static const hid_t type = [] {
    const hid_t enumerated = require(H5Tenum_create(H5T_STD_I8LE));
    const std::int8_t value = 0;
    require(H5Tenum_insert(enumerated, "FALSE", &value));
    return enumerated;
  }();
  return type;
}

/// Lets the data of `input` begin where the file ends: the classic file format has no checksum
/// there.
void move_input_behind_the_end(const std::string& path) {
  const std::uint64_t address_and_size[] = {address_of(path, "input"), 3 * 4 * 6 * 5 * 4};
  std::string bytes = read_bytes(path);
  const std::string stored(reinterpret_cast<const char*>(address_and_size),
                           sizeof address_and_size);
  const std::size_t position = bytes.find(stored);
  ASSERT_NE(position, std::string::npos);
  ASSERT_EQ(bytes.find(stored, position + 1), std::string::npos);
  const std::uint64_t end = bytes.size() - 4;
  std::memcpy(bytes.data() + position, &end, sizeof end);
  write_text(path, bytes);
}

void make_virtual(const std::string& path) {
  remove_object(path, "input");
  change_file(path, [](hid_t file) {
    const Extents extents{3, 4, 6, 5};
    const hid_t space = require(H5Screate_simple(4, extents.data(), nullptr));
    const hid_t creation = require(H5Pcreate(H5P_DATASET_CREATE));
    require(H5Pset_virtual(creation, space, "/etc/hostname", "input", space));
    require(H5Dclose(require(
        H5Dcreate2(file, "input", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT))));
    require(H5Pclose(creation));
    require(H5Sclose(space));
  });
}

void make_external(const std::string& path) {
  remove_object(path, "input");
  change_file(path, [](hid_t file) {
    const Extents extents{3, 4, 6, 5};
    const hid_t space = require(H5Screate_simple(4, extents.data(), nullptr));
    const hid_t creation = require(H5Pcreate(H5P_DATASET_CREATE));
    require(H5Pset_external(creation, "/etc/hostname", 0, H5F_UNLIMITED));
    require(H5Dclose(require(
        H5Dcreate2(file, "input", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT))));
    require(H5Pclose(creation));
    require(H5Sclose(space));
  });
}

/// A dataset of which each chunk is stored as one byte, which nobody decodes.
std::function<void(const std::string&)> compressed_to_bytes(const std::string& name,
                                                            const Extents& extents,
                                                            const Extents& chunk) {
  return [=](const std::string& path) {
    remove_object(path, name);
    change_file(path, [&](hid_t file) {
      const hid_t space = require(H5Screate_simple(4, extents.data(), nullptr));
      const hid_t creation = require(H5Pcreate(H5P_DATASET_CREATE));
      require(H5Pset_chunk(creation, 4, chunk.data()));
      require(H5Pset_deflate(creation, 1));
      const hid_t dataset = require(H5Dcreate2(file, name.c_str(), H5T_IEEE_F32LE, space,
                                               H5P_DEFAULT, creation, H5P_DEFAULT));
      for (hsize_t i = 0; i < extents[0]; i += chunk[0]) {
        for (hsize_t j = 0; j < extents[1]; j += chunk[1]) {
          const Extents offset{i, j, 0, 0};
          require(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, offset.data(), 1, "x"));
        }
      }
      require(H5Dclose(dataset));
      require(H5Pclose(creation));
      require(H5Sclose(space));
    });
  };
}

/// One chunk an image, and two of the three images written.
void write_two_images_of_three(const std::string& path) {
  replace_dataset(path, "input", {{3, 4, 6, 5}, H5T_IEEE_F32LE, {1, 4, 6, 5}}, {});
  change_file(path, [](hid_t file) {
    const hid_t dataset = require(H5Dopen2(file, "input", H5P_DEFAULT));
    const hid_t space = require(H5Dget_space(dataset));
    const Extents start{0, 0, 0, 0};
    const Extents count{2, 4, 6, 5};
    const hsize_t size = 240;
    const hid_t memory = require(H5Screate_simple(1, &size, nullptr));
    const std::vector<float> values(size);
    require(
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr));
    require(H5Dwrite(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values.data()));
    require(H5Sclose(memory));
    require(H5Sclose(space));
    require(H5Dclose(dataset));
  });
}

/// The input in a file of its own, which the input file links to.
void link_to_another_file(const std::string& path) {
  const std::string other = fs::path(path).parent_path() / "other.h5";
  fs::copy_file(path, other);
  remove_object(path, "input");
  change_file(path, [&](hid_t file) {
    require(H5Lcreate_external(other.c_str(), "input", file, "input", H5P_DEFAULT, H5P_DEFAULT));
  });
}

const double not_a_number = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();
const std::string extent_range = "expected an integer from 1 to #, found ";

std::vector<BadInput> files() {
  return {
      {"missing", [](const std::string& path) { fs::remove(path); },
       "file: expected a readable HDF5 file, found no such file"},
      {"directory",
       [](const std::string& path) {
         fs::remove(path);
         fs::create_directory(path);
       },
       "file: expected a readable HDF5 file, found a directory"},
      {"pipe",
       [](const std::string& path) {
         fs::remove(path);
         ASSERT_EQ(std::system(("mkfifo " + path).c_str()), 0);
       },
       "file: expected a readable HDF5 file, found something that is not a regular file"},
      {"unreadable_link_to_itself",
       [](const std::string& path) {
         fs::remove(path);
         fs::create_symlink(path, path);
       },
       "file: expected a readable HDF5 file, found Too many levels of symbolic links"},
      {"text", [](const std::string& path) { write_text(path, "not HDF5 at all\n"); },
       "file: expected an HDF5 file, found a file without HDF5's signature"},
      {"empty", [](const std::string& path) { write_text(path, ""); },
       "file: expected an HDF5 file, found a file without HDF5's signature"},
      {"truncated_by_half",
       [](const std::string& path) { fs::resize_file(path, fs::file_size(path) / 2); },
       "file: expected a whole HDF5 file, found truncated file"},
      {"truncated_by_a_byte",
       [](const std::string& path) { fs::resize_file(path, fs::file_size(path) - 1); },
       "file: expected a whole HDF5 file, found truncated file"},
      {"truncated_in_the_superblock", [](const std::string& path) { fs::resize_file(path, 40); },
       "file: expected a whole HDF5 file, found "},
      {"parameters_missing", nothing, "file: expected a readable HDF5 file, found no such file",
       "--parameters @/none.h5", "@/none.h5"},
      {"parameters_without_weight", removed("conv.weight"),
       "conv.weight: expected a dataset, found none", "--parameters @/input.h5"},
      {"reference_missing", nothing, "file: expected a readable HDF5 file, found no such file",
       "--verify @/none.h5", "@/none.h5"},
      {"reference_without_output", nothing, "output: expected a dataset, found none",
       "--verify @/input.h5"},
      {"reference_of_other_extents", zeros("output", {3, 8, 4, 4}),
       "output: expected extents (3, 8, 4, 3), found extents (3, 8, 4, 4)", "--verify @/input.h5"},
      {"reference_of_strings", dataset("output", {3, 8, 4, 3}, string_type),
       "output: expected integers or floating-point numbers, found strings", "--verify @/input.h5"},
      {"output_is_the_input", nothing,
       "file to write: expected another file than the input, found the same file", "-o @/input.h5"},
      {"output_links_to_the_input",
       [](const std::string& path) {
         fs::create_symlink(path, fs::path(path).parent_path() / "link.h5");
       },
       "file to write: expected another file than the input, found the same file", "-o @/link.h5",
       "@/link.h5"},
      {"output_is_a_hard_link_of_the_input",
       [](const std::string& path) {
         fs::create_hard_link(path, fs::path(path).parent_path() / "link.h5");
       },
       "file to write: expected another file than the input, found the same file", "-o @/link.h5",
       "@/link.h5"},
      {"unfinished_output_is_the_reference",
       [](const std::string& path) {
         replace_dataset(path, "output", {{3, 8, 4, 3}}, std::vector<float>(288));
         fs::copy_file(path, path + ".out.part");
       },
       "file to write: expected another file than the reference, found the same file",
       "-o @/input.h5.out --verify @/input.h5.out.part", "@/input.h5.out.part"},
      {"report_is_the_input", nothing,
       "file to write: expected another file than the input, found the same file",
       "--report @/input.h5"},
      {"unfinished_report_is_the_reference",
       [](const std::string& path) {
         replace_dataset(path, "output", {{3, 8, 4, 3}}, std::vector<float>(288));
         fs::copy_file(path, fs::path(path).replace_filename("report.part"));
       },
       "file to write: expected another file than the reference, found the same file",
       "--verify @/report.part --report @/report", "@/report.part"},
      {"report_is_the_output", nothing,
       "file to write: expected another file than the output, found the same file",
       "--report @/output.h5", "@/output.h5"},
      {"output_in_no_directory", nothing,
       "file to write: expected an existing directory to write to, found no directory @/none",
       "-o @/none/y.h5", "@/none/y.h5"},
      {"output_is_a_directory", nothing,
       "file to write: expected the name of a file, found a directory", "-o @", "@"},
  };
}

std::vector<BadInput> datasets() {
  return {
      {"no_input", removed("input"), "input: expected a dataset, found none"},
      {"no_weight", removed("conv.weight"), "conv.weight: expected a dataset, found none"},
      {"input_is_a_group",
       [](const std::string& path) {
         remove_object(path, "input");
         change_file(path, [](hid_t file) {
           require(
               H5Gclose(require(H5Gcreate2(file, "input", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT))));
         });
       },
       "input: expected a dataset, found a group"},
      {"input_links_to_nothing",
       [](const std::string& path) {
         remove_object(path, "input");
         change_file(path, [](hid_t file) {
           require(H5Lcreate_soft("/nowhere", file, "input", H5P_DEFAULT, H5P_DEFAULT));
         });
       },
       "input: expected a dataset, found a link to nothing"},
      {"input_links_to_itself",
       [](const std::string& path) {
         remove_object(path, "input");
         change_file(path, [](hid_t file) {
           require(H5Lcreate_soft("input", file, "input", H5P_DEFAULT, H5P_DEFAULT));
         });
       },
       "input: could not look it up: "},
      {"input_in_huge_compressed_chunks",
       compressed_to_bytes("input", {3, 4, 1 << 14, 1 << 15}, {1, 1, 1 << 14, 1 << 15}),
       "input: expected filtered chunks of at most 1073741824 bytes, found 2147483648 bytes"},
      {"input_in_chunks_of_2_to_the_66_bytes",
       [](const std::string& path) {
         replace_dataset(path, "input", {{3, 4, 6, 5}, H5T_IEEE_F32LE, {1, 4, 6, 5}}, {});
         std::string bytes = read_bytes(path);
         // A chunk's extents and the bytes of an element, of 32 bits each.
         const std::string chunk("\1\0\0\0\4\0\0\0\6\0\0\0\5\0\0\0\4\0\0\0", 20);
         const std::size_t at = bytes.find(chunk);
         ASSERT_NE(at, std::string::npos);
         bytes.replace(at, 16, std::string("\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0", 16));
         write_text(path, bytes);
       },
       "input: expected chunks of at most 4294967295 bytes, found 2^63 bytes or more"},
      {"weight_larger_than_the_memory",
       [](const std::string& path) {
         zeros("input", {1, 64, 3, 3})(path);
         compressed_to_bytes("conv.weight", {1 << 30, 64, 3, 3}, {1 << 18, 64, 3, 3})(path);
       },
       "conv.weight: expected at most # values, which take half of the memory, found "
       "618475290624"},
      {"input_of_very_wide_integers", dataset("input", {3, 4, 6, 5}, wide_type),
       "input: expected integers or floating-point numbers, found integers of 300 bytes"},
      {"input_of_references", dataset("input", {3, 4, 6, 5}, reference_type),
       "input: expected integers or floating-point numbers, found references"},
      {"input_of_sequences", dataset("input", {3, 4, 6, 5}, sequence_type),
       "input: expected integers or floating-point numbers, found sequences of variable length"},
      {"input_in_another_file", link_to_another_file,
       "input: expected data in this file, or --allow other-files, found a link to the file "
       "@/other.h5"},
      {"input_virtual", make_virtual,
       "input: expected data in this file, or --allow other-files, found a virtual dataset"},
      {"input_external", make_external,
       "input: expected data in this file, or --allow other-files, found data in the file "
       "/etc/hostname"},
      {"input_rank_3", zeros("input", {4, 6, 5}),
       "input: expected extents (N, Cin, H, W), found extents (4, 6, 5)"},
      {"input_rank_5", zeros("input", {3, 4, 6, 5, 1}),
       "input: expected extents (N, Cin, H, W), found extents (3, 4, 6, 5, 1)"},
      {"input_scalar", dataset("input", {}),
       "input: expected extents (N, Cin, H, W), found extents ()"},
      {"input_of_no_images", dataset("input", {0, 4, 6, 5}),
       "input number of images: " + extent_range + "0"},
      {"input_of_no_channels", dataset("input", {3, 0, 6, 5}),
       "input channels: " + extent_range + "0"},
      {"input_of_no_rows", dataset("input", {3, 4, 0, 5}), "input height: " + extent_range + "0"},
      {"input_of_no_columns", dataset("input", {3, 4, 6, 0}), "input width: " + extent_range + "0"},
      {"input_channels_unlike_weight", zeros("input", {3, 5, 6, 5}),
       "conv.weight: expected extents (8, 5, 3, 3), found extents (8, 4, 3, 3)"},
      {"input_of_strings", dataset("input", {3, 4, 6, 5}, string_type),
       "input: expected integers or floating-point numbers, found strings"},
      {"input_of_enumerators", dataset("input", {3, 4, 6, 5}, enumerated_type),
       "input: expected integers or floating-point numbers, found enumerators"},
      {"input_larger_than_any_memory",
       [](const std::string& path) {
         const hsize_t huge = hsize_t{1} << 29;
         replace_dataset(path, "input", {{huge, 4, huge, huge}, H5T_IEEE_F32LE, {1, 4, 6, 5}}, {});
       },
       "input: expected at most # elements, found 536870912 x 4 x 536870912 x 536870912"},
      {"input_never_written", dataset("input", {3, 4, 6, 5}),
       "input: expected a dataset whose data is all there, found a dataset that was never "
       "written"},
      {"input_huge_and_never_written", dataset("input", {1 << 20, 4, 1 << 10, 1 << 10}),
       "input: expected a dataset whose data is all there, found a dataset that was never "
       "written"},
      {"input_huge_and_hardly_written",
       [](const std::string& path) {
         replace_dataset(path, "input",
                         {{1 << 20, 4, 1 << 10, 1 << 10}, H5T_IEEE_F32LE, {1, 4, 1 << 10, 1 << 10}},
                         {});
       },
       "input: expected a dataset whose data is all there, found 1048576 chunks in a file of "
       "# bytes"},
      {"input_partly_written", write_two_images_of_three,
       "input: expected a dataset whose data is all there, found 2 of 3 chunks written"},
      {"input_exceeds_the_file", move_input_behind_the_end,
       "input: expected a dataset whose data is all there, found 1440 bytes from byte "},
      {"weight_rank_3", zeros("conv.weight", {8, 4, 9}),
       "conv.weight: expected extents (Cout, Cin / conv.groups, kH, kW), found extents (8, 4, 9)"},
      {"weight_of_other_channels", zeros("conv.weight", {8, 3, 3, 3}),
       "conv.weight: expected extents (8, 4, 3, 3), found extents (8, 3, 3, 3)"},
      {"weight_of_no_output", dataset("conv.weight", {0, 4, 3, 3}),
       "conv.weight output channels: " + extent_range + "0"},
      {"weight_of_no_kernel", dataset("conv.weight", {8, 4, 3, 0}),
       "conv.weight kernel size: " + extent_range + "0"},
      {"weight_never_written", dataset("conv.weight", {8, 4, 3, 3}),
       "conv.weight: expected a dataset whose data is all there, found a dataset that was "
       "never written"},
      {"weight_of_compounds", dataset("conv.weight", {8, 4, 3, 3}, compound_type),
       "conv.weight: expected integers or floating-point numbers, found compounds"},
      {"kernel_higher_than_input", zeros("conv.weight", {8, 4, 7, 3}),
       "conv.weight: expected a kernel that, dilated, fits the padded input's 6 rows, found 7 "
       "rows"},
      {"kernel_wider_than_input", zeros("conv.weight", {8, 4, 3, 6}),
       "conv.weight: expected a kernel that, dilated, fits the padded input's 5 columns, found 6 "
       "columns"},
      {"conv_bias_of_other_length", zeros("conv.bias", {7}),
       "conv.bias: expected extents (8), found extents (7)"},
      {"conv_bias_of_rank_3", zeros("conv.bias", {8, 1, 1}),
       "conv.bias: expected extents (8), found extents (8, 1, 1)"},
      {"conv_bias_of_strings", dataset("conv.bias", {8}, string_type),
       "conv.bias: expected integers or floating-point numbers, found strings"},
      {"bias_of_other_form", zeros("bias", {1, 8, 1}),
       "bias: expected extents (8) or (8, 1, 1) or (1, 8, 1, 1), found extents (1, 8, 1)"},
      {"scale_of_one_value", zeros("scale", {1}),
       "scale: expected extents (8) or (8, 1, 1) or (1, 8, 1, 1), found extents (1)"},
      {"group_norm_weight_of_groups", zeros("group_norm.weight", {4}),
       "group_norm.weight: expected extents (8), found extents (4)"},
      {"group_norm_bias_of_rank_2", zeros("group_norm.bias", {8, 1}),
       "group_norm.bias: expected extents (8), found extents (8, 1)"},
      {"group_norm_bias_never_written", dataset("group_norm.bias", {8}),
       "group_norm.bias: expected a dataset whose data is all there, found a dataset that was "
       "never written"},
  };
}

std::vector<BadInput> attributes() {
  const std::string num_groups = "group_norm.num_groups";
  const std::string padding_range = "expected an integer from 0 to #, found ";
  return {
      {"num_groups_missing", [=](const std::string& path) { remove_attribute(path, num_groups); },
       "group_norm.num_groups: expected an integer as root attribute, found none"},
      {"num_groups_not_dividing", attribute(num_groups, std::int64_t{3}),
       "group_norm.num_groups: expected a divisor of the 8 output channels, found 3"},
      {"num_groups_zero", attribute(num_groups, std::int64_t{0}),
       "group_norm.num_groups: " + extent_range + "0"},
      {"num_groups_negative", attribute(num_groups, std::int64_t{-4}),
       "group_norm.num_groups: " + extent_range + "-4"},
      {"num_groups_of_float", attribute(num_groups, 4.0),
       "group_norm.num_groups: expected an integer, found floating-point numbers"},
      {"num_groups_of_string", string_attribute(num_groups),
       "group_norm.num_groups: expected an integer, found strings"},
      {"num_groups_of_two", attribute(num_groups, std::vector<std::int64_t>{4, 4}),
       "group_norm.num_groups: expected an integer, found an array of extents (2)"},
      {"num_groups_empty",
       [=](const std::string& path) {
         remove_attribute(path, num_groups);
         change_file(path, [&](hid_t file) {
           const hid_t space = require(H5Screate(H5S_NULL));
           require(H5Aclose(require(H5Acreate2(file, num_groups.c_str(), H5T_STD_I64LE, space,
                                               H5P_DEFAULT, H5P_DEFAULT))));
           require(H5Sclose(space));
         });
       },
       "group_norm.num_groups: expected an integer, found an empty attribute"},
      {"groups_not_dividing_input", attribute("conv.groups", std::int64_t{8}),
       "conv.groups: expected a divisor of the 4 input channels, found 8"},
      {"groups_not_dividing_output",
       [](const std::string& path) {
         zeros("conv.weight", {7, 2, 3, 3})(path);
         replace_attribute(path, "conv.groups", std::int64_t{2});
       },
       "conv.groups: expected a divisor of the 7 output channels, found 2"},
      {"groups_unlike_weight", attribute("conv.groups", std::int64_t{2}),
       "conv.weight: expected extents (8, 2, 3, 3), found extents (8, 4, 3, 3)"},
      {"groups_zero", attribute("conv.groups", std::int64_t{0}),
       "conv.groups: " + extent_range + "0"},
      {"stride_zero", attribute("conv.stride", std::int64_t{0}),
       "conv.stride: " + extent_range + "0"},
      {"stride_negative", attribute("conv.stride", std::int64_t{-1}),
       "conv.stride: " + extent_range + "-1"},
      {"stride_zero_across", attribute("conv.stride", std::vector<std::int64_t>{1, 0}),
       "conv.stride: " + extent_range + "0"},
      {"stride_absurd", attribute("conv.stride", std::int64_t{1} << 40),
       "conv.stride: " + extent_range + "1099511627776"},
      {"stride_of_three", attribute("conv.stride", std::vector<std::int64_t>{1, 1, 1}),
       "conv.stride: expected an integer or two, found an array of extents (3)"},
      {"stride_of_float", attribute("conv.stride", 1.5),
       "conv.stride: expected an integer or two, found floating-point numbers"},
      {"padding_negative", attribute("conv.padding", std::int64_t{-1}),
       "conv.padding: " + padding_range + "-1"},
      {"padding_absurd", attribute("conv.padding", std::numeric_limits<std::int64_t>::max()),
       "conv.padding: " + padding_range + "9223372036854775807"},
      {"padding_of_huge_output", attribute("conv.padding", std::int64_t{1} << 28),
       "output: expected at most # elements, found 3 x 8 x 536870916 x 536870915"},
      {"padding_of_string", string_attribute("conv.padding"),
       "conv.padding: expected an integer or two, found strings"},
      {"dilation_zero", attribute("conv.dilation", std::int64_t{0}),
       "conv.dilation: " + extent_range + "0"},
      {"dilation_negative", attribute("conv.dilation", std::vector<std::int64_t>{1, -2}),
       "conv.dilation: " + extent_range + "-2"},
      {"dilation_too_large", attribute("conv.dilation", std::int64_t{3}),
       "conv.weight: expected a kernel that, dilated, fits the padded input's 6 rows, found 7 "
       "rows"},
      {"eps_zero", attribute("group_norm.eps", 0.0),
       "group_norm.eps: expected a finite number above 0, found 0"},
      {"eps_negative", attribute("group_norm.eps", -1e-5),
       "group_norm.eps: expected a finite number above 0, found -1e-05"},
      {"eps_nan", attribute("group_norm.eps", not_a_number),
       "group_norm.eps: expected a finite number above 0, found nan"},
      {"eps_infinite", attribute("group_norm.eps", infinity),
       "group_norm.eps: expected a finite number above 0, found inf"},
      {"eps_of_string", string_attribute("group_norm.eps"),
       "group_norm.eps: expected a number, found strings"},
      {"activation_of_number", attribute("activation", std::int64_t{1}),
       "activation: expected a string, found integers"},
      {"activation_unknown", attribute("activation", std::string("mish")),
       "activation: expected one of sigmoid, relu, silu, gelu, gelu_tanh, tanh, identity, found "
       "'mish'"},
      {"activation_of_several_lines", attribute("activation", std::string("a\nb\x1b[31m")),
       "activation: expected one of sigmoid, relu, silu, gelu, gelu_tanh, tanh, identity, found "
       "'a?b?[31m'"},
      {"activation_of_many_bytes",
       [](const std::string& path) {
         replace_attribute(path, "activation", std::string(64000, 'a'));
       },
       "activation: expected one of sigmoid, relu, silu, gelu, gelu_tanh, tanh, identity, found "
       "'aaaaaaaaaa"},
      {"groups_of_more_bits_than_bytes",
       [](const std::string& path) {
         std::string bytes = read_bytes(path);
         // The attribute's type: signed little-endian, 8 bytes, from bit 0 on, of 64 bits.
         const std::string type("\x10\x08\x00\x00\x08\x00\x00\x00\x00\x00\x40\x00", 12);
         const std::size_t at = bytes.find(type, bytes.find("conv.groups"));
         ASSERT_NE(at, std::string::npos);
         bytes[at + 9] = '\x70';
         write_text(path, bytes);
       },
       "conv.groups: expected an integer, found integers of more bits than bytes"},
      {"stride_of_very_wide_integers",
       [](const std::string& path) {
         replace_attribute(path, "conv.stride", wide_type(), {}, H5T_NATIVE_INT64, nullptr);
       },
       "conv.stride: expected an integer or two, found integers of 300 bytes"},
      {"activation_unlike_the_one_asked_for", attribute("activation", std::string("gelu")),
       "activation: expected relu, as asked for, found gelu", "--activation relu"},
  };
}

/// Both at once: most of the time is waiting for MPI to start.
std::vector<std::pair<AppLaunch, AppResult>> run_alone_and_on_3_ranks(
    const std::string& arguments) {
  const AppLaunch alone{.ranks = 0};
  const AppLaunch together{.ranks = 3};
  std::future<AppResult> result =
      std::async(std::launch::async, [&] { return run_app(arguments, together); });
  AppResult result_alone = run_app(arguments, alone);
  return {{alone, std::move(result_alone)}, {together, result.get()}};
}

class AppRefuses : public testing::TestWithParam<BadInput> {};

std::string with_directory(std::string text, const std::string& directory) {
  for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@')) {
    text.replace(at, 1, directory);
  }
  return text;
}

TEST_P(AppRefuses, InOneSentence) {
  const BadInput& bad = GetParam();
  const TemporaryDirectory directory;
  const std::string input = directory.file("input.h5");
  write_input(input, small_problem());
  bad.spoil(input);
  std::string arguments = bad.arguments;
  if (arguments.find("-o ") == std::string::npos) arguments += " -o @/output.h5";
  arguments = with_directory("@/input.h5 " + arguments, directory.path());
  const std::string sentence =
      "fusedconv_app: " + with_directory(bad.file + ": " + bad.sentence, directory.path());
  std::vector<fs::path> before(fs::directory_iterator(directory.path()), {});

  for (const auto& [launch, result] : run_alone_and_on_3_ranks(arguments)) {
    SCOPED_TRACE(to_string(launch));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.standard_output, "");
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_TRUE(begins_with(result.messages().front(), sentence))
        << "expected " << sentence << "\nfound    " << result.messages().front();
    if (launch.ranks == 0) {
      EXPECT_EQ(result.standard_error, result.messages().front() + "\n");
    }
  }
  const std::vector<fs::path> after(fs::directory_iterator(directory.path()), {});
  EXPECT_EQ(after, before);
}

std::string name_of(const testing::TestParamInfo<BadInput>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Files, AppRefuses, testing::ValuesIn(files()), name_of);
INSTANTIATE_TEST_SUITE_P(Datasets, AppRefuses, testing::ValuesIn(datasets()), name_of);
INSTANTIATE_TEST_SUITE_P(Attributes, AppRefuses, testing::ValuesIn(attributes()), name_of);

/// A name for the test, and arguments for which @ stands for a directory with an input.
struct BadArguments {
  std::string name;
  std::string arguments;
};

void PrintTo(const BadArguments& bad, std::ostream* out) { *out << bad.name; }

class AppRefusesArguments : public testing::TestWithParam<BadArguments> {};

TEST_P(AppRefusesArguments, WithTheWayToHelp) {
  const TemporaryDirectory directory;
  write_input(directory.file("input.h5"), small_problem());
  const std::string arguments = with_directory(GetParam().arguments, directory.path());
  for (const auto& [launch, result] : run_alone_and_on_3_ranks(arguments)) {
    SCOPED_TRACE(to_string(launch));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.standard_output, "");
    EXPECT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_NE(result.standard_error.find("Run with --help"), std::string::npos);
    EXPECT_FALSE(fs::exists(directory.file("input_output.h5")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    CommandLines, AppRefusesArguments,
    testing::Values(BadArguments{"none", ""},
                    BadArguments{"output_and_directory", "@/input.h5 -o @/y.h5 --output-dir @"},
                    BadArguments{"compression_without_level", "@/input.h5 --compress gzip"},
                    BadArguments{"unknown_option", "@/input.h5 --no-such-option"},
                    BadArguments{"unknown_permission", "@/input.h5 --allow everything"},
                    BadArguments{"computed_and_checked", "@/input.h5 --check @/input.h5"},
                    BadArguments{"unknown_backend", "@/input.h5 --backend abacus"},
                    BadArguments{"unknown_algorithm", "@/input.h5 --algorithm guess"},
                    BadArguments{"no_chunk", "@/input.h5 --chunk 0"},
                    BadArguments{"negative_chunk", "@/input.h5 --chunk -3"},
                    BadArguments{"chunk_in_words", "@/input.h5 --chunk many"},
                    BadArguments{"no_repetition", "@/input.h5 --repeat 0"},
                    BadArguments{"tolerance_of_nothing", "@/input.h5 --tolerance 1"},
                    BadArguments{"reference_without_name", "@/input.h5 --verify"},
                    BadArguments{"negative_tolerance",
                                 "@/input.h5 --verify @/input.h5 --tolerance -1"},
                    BadArguments{"report_of_nothing", "@/input.h5 --dry-run --report @/r.json"}),
    [](const testing::TestParamInfo<BadArguments>& info) { return info.param.name; });

}  // namespace
}  // namespace fusedconv::test
