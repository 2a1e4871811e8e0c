// SPDX-License-Identifier: Apache-2.0
#include "checked_open.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "stored_data.hpp"

namespace fusedconv::app::hdf5 {

namespace {

/// What an external link leads to is not opened: its file's name is kept instead.
herr_t refuse_link(const char*, const char*, const char* file, const char*, unsigned*, hid_t,
                   void* name) {
  *static_cast<std::string*>(name) = file;
  return -1;
}

bool leads_to_an_object(const File& file, const std::string& name, const Permissions& permissions) {
  std::string other_file;
  const PropertyList access(H5P_LINK_ACCESS);
  if (!permissions.other_files) {
    check(H5Pset_elink_cb(access.id(), refuse_link, &other_file), name, "refuse external links");
  }
  const htri_t exists = H5Oexists_by_name(file.id(), name.c_str(), access.id());
  if (!other_file.empty()) {
    throw InvalidFile(file.name(), name, data_in_this_file, "a link to the file " + other_file);
  }
  return check(exists, name, "look it up") > 0;
}

/// \throws Error where the system cannot read
bool has_signature(const std::string& path) {
  try {
    return check(H5Fis_hdf5(path.c_str()), path, "look for HDF5's signature") > 0;
  } catch (const Error& error) {
    if (error.is_of_system()) throw;
    return false;
  }
}

/// Whether the bits that a number declares are among its bytes: HDF5 converts it as if they were.
bool has_its_bits(const Datatype& type) {
  const std::size_t bits = 8 * type.size();
  const std::size_t precision = H5Tget_precision(type.id());
  const int offset = H5Tget_offset(type.id());
  if (precision == 0 || precision > bits || offset < 0 ||
      static_cast<std::size_t>(offset) > bits - precision) {
    return false;
  }
  if (type.type_class() != H5T_FLOAT) return true;
  std::size_t sign = 0;
  std::size_t exponent = 0;
  std::size_t exponent_bits = 0;
  std::size_t significand = 0;
  std::size_t significand_bits = 0;
  check(H5Tget_fields(type.id(), &sign, &exponent, &exponent_bits, &significand, &significand_bits),
        type.name(), "ask for its fields");
  return sign < bits && exponent < bits && exponent_bits <= bits - exponent && significand < bits &&
         significand_bits <= bits - significand;
}

/// One line of printable text.
std::string printable(std::string text) {
  constexpr std::size_t longest = 1000;
  if (text.size() > longest) text.replace(longest, std::string::npos, "...");
  for (char& character : text) {
    // Beyond ASCII are the letters of file names.
    if (static_cast<unsigned char>(character) < ' ' || character == '\x7f') character = '?';
  }
  return text;
}

}  // namespace

InvalidFile::InvalidFile(const std::string& file, const std::string& object,
                         const std::string& expected, const std::string& found)
    : std::runtime_error(file + ": " + object + ": expected " + expected + ", found " +
                         printable(found)) {}

InvalidFile::InvalidFile(const std::string& file, const Error& error)
    : std::runtime_error(printable(error.in_file(file).what())) {}

void require_readable(const std::string& path, const std::string& expected) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw InvalidFile(path, "file", expected, "no such file");
  }
  if (error) throw InvalidFile(path, "file", expected, error.message());
  if (status.type() == std::filesystem::file_type::directory) {
    throw InvalidFile(path, "file", expected, "a directory");
  }
  if (status.type() != std::filesystem::file_type::regular) {
    throw InvalidFile(path, "file", expected, "something that is not a regular file");
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw InvalidFile(path, "file", expected, std::generic_category().message(errno));
  }
  ::close(descriptor);
}

std::string file_name(const Handle& object) {
  const ssize_t length =
      check(H5Fget_name(object.id(), nullptr, 0), object.name(), "ask for its file");
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  check(H5Fget_name(object.id(), name.data(), name.size()), object.name(), "ask for its file");
  name.resize(static_cast<std::size_t>(length));
  return name;
}

void refuse(const std::string& file, const Error& error) {
  if (error.is_of_system()) throw error.in_file(file);
  throw InvalidFile(file, error);
}

File open_checked_file(const std::string& path) {
  require_readable(path, "a readable HDF5 file");
  silence_automatic_printing();
  if (!has_signature(path)) {
    throw InvalidFile(path, "file", "an HDF5 file", "a file without HDF5's signature");
  }
  try {
    return File::open_read_only(path);
  } catch (const Error& error) {
    if (error.is_of_system()) throw;
    throw InvalidFile(path, "file", "a whole HDF5 file", error.reason());
  }
}

bool has_object(const File& file, const std::string& name) {
  return check(H5Lexists(file.id(), name.c_str(), H5P_DEFAULT), name, "look for the object") > 0;
}

Dataset open_checked_dataset(const File& file, const std::string& name,
                             const Permissions& permissions) {
  const std::string expected = "a dataset";
  if (!has_object(file, name)) throw InvalidFile(file.name(), name, expected, "none");
  if (!leads_to_an_object(file, name, permissions)) {
    throw InvalidFile(file.name(), name, expected, "a link to nothing");
  }
  const Object object = Object::open(file, name);
  if (object.kind() != H5I_DATASET) {
    throw InvalidFile(file.name(), name, expected,
                      object.kind() == H5I_GROUP ? "a group" : "a named datatype");
  }
  Dataset dataset = Dataset::open(file, name);
  const Datatype type = dataset.type();
  if (!is_numeric(type)) {
    throw InvalidFile(file.name(), name, "integers or floating-point numbers", type_text(type));
  }
  require_permitted_storage(file, dataset, permissions);
  return dataset;
}

std::string extents_text(const std::vector<std::int64_t>& extents) {
  std::string text = "(";
  for (const std::int64_t extent : extents) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + ")";
}

std::string type_text(const Datatype& type) {
  const auto unlike_a_number = [&]() -> std::string {
    if (is_numeric(type)) return "";
    if (!has_its_bits(type)) return " of more bits than bytes";
    return " of " + std::to_string(type.size()) + " bytes";
  };
  switch (type.type_class()) {
    case H5T_INTEGER:
      return "integers" + unlike_a_number();
    case H5T_FLOAT:
      return "floating-point numbers" + unlike_a_number();
    case H5T_STRING:
      return "strings";
    case H5T_COMPOUND:
      return "compounds";
    case H5T_ENUM:
      return "enumerators";
    case H5T_REFERENCE:
      return "references";
    case H5T_OPAQUE:
      return "opaque bytes";
    case H5T_BITFIELD:
      return "bit fields";
    case H5T_VLEN:
      return "sequences of variable length";
    case H5T_ARRAY:
      return "arrays";
    case H5T_TIME:
      return "times";
    default:
      return "elements of an unknown type";
  }
}

bool is_numeric(const Datatype& type) {
  constexpr std::size_t widest = 16;
  const H5T_class_t type_class = type.type_class();
  return (type_class == H5T_INTEGER || type_class == H5T_FLOAT) && type.size() <= widest &&
         has_its_bits(type);
}

}  // namespace fusedconv::app::hdf5
