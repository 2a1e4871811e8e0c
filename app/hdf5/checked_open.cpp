// SPDX-License-Identifier: Apache-2.0
#include "checked_open.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace fusedconv::app::hdf5 {

namespace {

/// Opening a pipe would wait for its writer, so what is not a regular file is not opened at all.
void require_readable(const std::string& path) {
  const std::string expected = "a readable HDF5 file";
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

/// The name of the file in which an object lies, which an external link makes another one.
std::string file_name(const Handle& object) {
  const ssize_t length =
      check(H5Fget_name(object.id(), nullptr, 0), object.name(), "ask for its file");
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  check(H5Fget_name(object.id(), name.data(), name.size()), object.name(), "ask for its file");
  name.resize(static_cast<std::size_t>(length));
  return name;
}

std::optional<std::int64_t> byte_count(const Dataset& dataset) {
  auto bytes = static_cast<std::int64_t>(dataset.type().size());
  for (const std::int64_t extent : dataset.extents()) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

/// Chunks that the extents need, and chunks that the file has.
std::pair<std::int64_t, std::int64_t> chunk_counts(const Dataset& dataset,
                                                   const PropertyList& properties) {
  const std::vector<std::int64_t> extents = dataset.extents();
  std::vector<hsize_t> chunk(extents.size());
  check(H5Pget_chunk(properties.id(), static_cast<int>(chunk.size()), chunk.data()), dataset.name(),
        "ask for the extents of a chunk");
  std::int64_t needed = 1;
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    const auto length = static_cast<std::int64_t>(chunk[axis]);
    needed *= extents[axis] / length + (extents[axis] % length == 0 ? 0 : 1);
  }
  hsize_t present = 0;
  check(H5Dget_num_chunks(dataset.id(), dataset.space().id(), &present), dataset.name(),
        "count its chunks");
  return {needed, static_cast<std::int64_t>(present)};
}

}  // namespace

void refuse(const std::string& file, const Error& error) {
  if (error.is_of_system()) throw error.in_file(file);
  throw InvalidFile(file, error);
}

File open_checked_file(const std::string& path) {
  require_readable(path);
  silence_automatic_printing();
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 < 0) {
    const Error error(path, "look for HDF5's signature");
    if (error.is_of_system()) throw error;
  }
  if (is_hdf5 <= 0) {
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

Dataset open_checked_dataset(const File& file, const std::string& name) {
  const std::string expected = "a dataset";
  if (!has_object(file, name)) throw InvalidFile(file.name(), name, expected, "none");
  if (check(H5Oexists_by_name(file.id(), name.c_str(), H5P_DEFAULT), name, "look it up") == 0) {
    throw InvalidFile(file.name(), name, expected, "a link to nothing");
  }
  const Object object = Object::open(file, name);
  if (object.kind() != H5I_DATASET) {
    throw InvalidFile(file.name(), name, expected,
                      object.kind() == H5I_GROUP ? "a group" : "a named datatype");
  }
  if (file_name(object) != file_name(file)) {
    throw InvalidFile(file.name(), name, "a dataset in this file",
                      "a link to the file " + file_name(object));
  }
  Dataset dataset = Dataset::open(file, name);
  const Datatype type = dataset.type();
  if (!is_numeric(type)) {
    throw InvalidFile(file.name(), name, "integers or floating-point numbers", type_text(type));
  }
  return dataset;
}

void require_stored(const File& file, const Dataset& dataset) {
  const std::string expected = "a dataset whose data lies in this file";
  const auto found = [&](const std::string& what) {
    return InvalidFile(file.name(), dataset.name(), expected, what);
  };
  const std::optional<std::int64_t> bytes = byte_count(dataset);
  if (!bytes) {
    throw InvalidFile(file.name(), dataset.name(), "less than 2^63 bytes",
                      "extents " + extents_text(dataset.extents()));
  }
  const auto file_bytes = static_cast<std::int64_t>(std::filesystem::file_size(file.name()));
  const auto stored_bytes = static_cast<std::int64_t>(H5Dget_storage_size(dataset.id()));
  const PropertyList properties = dataset.creation_properties();
  switch (check(H5Pget_layout(properties.id()), dataset.name(), "ask for the storage layout")) {
    case H5D_COMPACT:
      return;
    case H5D_CONTIGUOUS: {
      if (check(H5Pget_external_count(properties.id()), dataset.name(), "count external files") >
          0) {
        throw found("data in external files");
      }
      const haddr_t address = H5Dget_offset(dataset.id());
      if (address == HADDR_UNDEF) throw found("a dataset that was never written");
      if (address > static_cast<haddr_t>(file_bytes) ||
          *bytes > file_bytes - static_cast<std::int64_t>(address)) {
        throw found(std::to_string(*bytes) + " bytes from byte " + std::to_string(address) +
                    " on in a file of " + std::to_string(file_bytes) + " bytes");
      }
      return;
    }
    case H5D_CHUNKED: {
      const auto [needed, present] = chunk_counts(dataset, properties);
      if (present < needed) {
        throw found(std::to_string(present) + " of " + std::to_string(needed) + " chunks written");
      }
      if (stored_bytes > file_bytes) {
        throw found(std::to_string(stored_bytes) + " bytes of chunks in a file of " +
                    std::to_string(file_bytes) + " bytes");
      }
      return;
    }
    case H5D_VIRTUAL:
      throw found("a virtual dataset");
    default:
      throw found("a storage layout that is unknown");
  }
}

std::string extents_text(const std::vector<std::int64_t>& extents) {
  std::string text = "(";
  for (const std::int64_t extent : extents) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + ")";
}

std::string type_text(const Datatype& type) {
  switch (type.type_class()) {
    case H5T_INTEGER:
      return "integers";
    case H5T_FLOAT:
      return "floating-point numbers";
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
  const H5T_class_t type_class = type.type_class();
  return type_class == H5T_INTEGER || type_class == H5T_FLOAT;
}

}  // namespace fusedconv::app::hdf5
