// SPDX-License-Identifier: Apache-2.0
#include "stored_data.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "checked_open.hpp"
#include "filters.hpp"
#include "virtual_sources.hpp"

namespace fusedconv::app::hdf5 {

namespace {

namespace fs = std::filesystem;

/// HDF5 holds a chunk that has filters as a whole, of which a few bytes of file may be enough.
constexpr std::int64_t most_filtered = std::int64_t{1} << 30;

/// HDF5 allows no more, but counts with 64 bits, which a file's extents may exceed.
constexpr std::int64_t most_chunk = (std::int64_t{1} << 32) - 1;

std::int64_t file_bytes(const std::string& path) {
  return static_cast<std::int64_t>(fs::file_size(path));
}

H5D_layout_t layout_of(const Dataset& dataset, const PropertyList& properties) {
  return check(H5Pget_layout(properties.id()), dataset.name(), "ask for the storage layout");
}

int external_count(const Dataset& dataset, const PropertyList& properties) {
  return check(H5Pget_external_count(properties.id()), dataset.name(), "count external files");
}

/// A part of an external dataset: `bytes` of a file from byte `offset` on.
struct ExternalPart {
  std::string file;
  std::int64_t offset = 0;
  hsize_t bytes = 0;  ///< H5F_UNLIMITED: all that there is
};

ExternalPart external_part(const Dataset& dataset, const PropertyList& properties, int number) {
  std::string name(4096, '\0');
  off_t offset = 0;
  ExternalPart part;
  check(H5Pget_external(properties.id(), static_cast<unsigned>(number), name.size() - 1,
                        name.data(), &offset, &part.bytes),
        dataset.name(), "ask for an external file");
  part.file = name.c_str();
  part.offset = offset;
  return part;
}

/// Where HDF5 looks for files of external datasets: nothing for the working directory.
fs::path external_prefix(const Dataset& dataset) {
  const PropertyList access = dataset.access_properties();
  const ssize_t length = check(H5Pget_efile_prefix(access.id(), nullptr, 0), dataset.name(),
                               "ask for the directory of external files");
  std::string prefix(static_cast<std::size_t>(length) + 1, '\0');
  check(H5Pget_efile_prefix(access.id(), prefix.data(), prefix.size()), dataset.name(),
        "ask for the directory of external files");
  return prefix.c_str();
}

/// Nothing where they are 2^63 or more.
std::optional<std::int64_t> byte_count(const Datatype& type,
                                       const std::vector<std::int64_t>& extents) {
  auto bytes = static_cast<std::int64_t>(type.size());
  for (const std::int64_t extent : extents) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

/// Looks at one dataset.
class StoredData {
 public:
  StoredData(const File& file, const Dataset& dataset)
      : file_(file), dataset_(dataset), properties_(dataset.creation_properties()) {}

  std::set<std::string> require() const {
    const std::optional<std::int64_t> bytes = byte_count(dataset_.type(), dataset_.extents());
    if (!bytes) {
      throw InvalidFile(file_.name(), dataset_.name(), "less than 2^63 bytes",
                        "extents " + extents_text(dataset_.extents()));
    }
    std::set<std::string> others;
    const std::string owner = file_name(dataset_);
    if (owner != file_name(file_)) others.insert(owner);
    switch (layout_of(dataset_, properties_)) {
      case H5D_COMPACT:
        break;
      case H5D_CONTIGUOUS:
        if (external_count(dataset_, properties_) > 0) {
          others.merge(require_external(*bytes));
        } else {
          require_contiguous(*bytes, file_bytes(owner));
        }
        break;
      case H5D_CHUNKED:
        require_chunks(file_bytes(owner));
        break;
      case H5D_VIRTUAL:
        others.merge(require_sources(file_, dataset_));
        break;
      default:
        throw lacking("a storage layout that is unknown");
    }
    return others;
  }

 private:
  InvalidFile lacking(const std::string& found) const {
    return {file_.name(), dataset_.name(), "a dataset whose data is all there", found};
  }

  void require_contiguous(std::int64_t bytes, std::int64_t size) const {
    const haddr_t address = H5Dget_offset(dataset_.id());
    if (address == HADDR_UNDEF) throw lacking("a dataset that was never written");
    if (address > static_cast<haddr_t>(size) || bytes > size - static_cast<std::int64_t>(address)) {
      throw lacking(std::to_string(bytes) + " bytes from byte " + std::to_string(address) +
                    " on in a file of " + std::to_string(size) + " bytes");
    }
  }

  void require_chunks(std::int64_t size) const {
    const std::vector<std::int64_t> chunk = chunk_extents();
    const std::optional<std::int64_t> chunk_bytes = byte_count(dataset_.type(), chunk);
    const bool has_filters =
        check(H5Pget_nfilters(properties_.id()), dataset_.name(), "count its filters") > 0;
    const std::int64_t most = has_filters ? most_filtered : most_chunk;
    if (!chunk_bytes || *chunk_bytes > most) {
      throw InvalidFile(
          file_.name(), dataset_.name(),
          (has_filters ? "filtered chunks" : "chunks") + (" of at most " + std::to_string(most)) +
              " bytes",
          chunk_bytes ? std::to_string(*chunk_bytes) + " bytes" : "2^63 bytes or more");
    }
    const std::int64_t needed = chunks_needed(chunk);
    // No chunk takes less than a byte. To count so many that are not there could take hours.
    if (needed > size) {
      throw lacking(std::to_string(needed) + " chunks in a file of " + std::to_string(size) +
                    " bytes");
    }
    hsize_t present = 0;
    check(H5Dget_num_chunks(dataset_.id(), dataset_.space().id(), &present), dataset_.name(),
          "count its chunks");
    if (static_cast<std::int64_t>(present) < needed) {
      throw lacking(std::to_string(present) + " of " + std::to_string(needed) + " chunks written");
    }
    const auto stored = static_cast<std::int64_t>(H5Dget_storage_size(dataset_.id()));
    if (stored > size) {
      throw lacking(std::to_string(stored) + " bytes of chunks in a file of " +
                    std::to_string(size) + " bytes");
    }
  }

  std::vector<std::int64_t> chunk_extents() const {
    std::vector<hsize_t> chunk(dataset_.extents().size());
    check(H5Pget_chunk(properties_.id(), static_cast<int>(chunk.size()), chunk.data()),
          dataset_.name(), "ask for the extents of a chunk");
    return {chunk.begin(), chunk.end()};
  }

  std::int64_t chunks_needed(const std::vector<std::int64_t>& chunk) const {
    const std::vector<std::int64_t> extents = dataset_.extents();
    std::int64_t needed = 1;
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      needed *= extents[axis] / chunk[axis] + (extents[axis] % chunk[axis] == 0 ? 0 : 1);
    }
    return needed;
  }

  std::set<std::string> require_external(std::int64_t bytes) const {
    const fs::path prefix = external_prefix(dataset_);
    std::set<std::string> files;
    const int count = external_count(dataset_, properties_);
    for (int number = 0; number < count && bytes > 0; ++number) {
      const ExternalPart part = external_part(dataset_, properties_, number);
      const std::string name = prefix / part.file;
      require_readable(name, "a readable file with data of " + file_.name());
      const std::int64_t needed =
          part.bytes < static_cast<hsize_t>(bytes) ? static_cast<std::int64_t>(part.bytes) : bytes;
      const std::int64_t size = file_bytes(name);
      if (part.offset < 0 || part.offset > size || needed > size - part.offset) {
        throw lacking(std::to_string(needed) + " bytes from byte " + std::to_string(part.offset) +
                      " on in " + name + ", a file of " + std::to_string(size) + " bytes");
      }
      bytes -= needed;
      files.insert(name);
    }
    if (bytes > 0) throw lacking("external files that lack " + std::to_string(bytes) + " bytes");
    return files;
  }

  const File& file_;
  const Dataset& dataset_;
  PropertyList properties_;
};

}  // namespace

void require_permitted_storage(const File& file, const Dataset& dataset,
                               const Permissions& permissions) {
  const PropertyList properties = dataset.creation_properties();
  const bool is_virtual = layout_of(dataset, properties) == H5D_VIRTUAL;
  if (is_virtual && !permissions.other_files) {
    throw InvalidFile(file.name(), dataset.name(), data_in_this_file, "a virtual dataset");
  }
  if (is_virtual) require_fixed_sources(file, dataset);
  if (external_count(dataset, properties) > 0 && !permissions.other_files) {
    throw InvalidFile(file.name(), dataset.name(), data_in_this_file,
                      "data in the file " + external_part(dataset, properties, 0).file);
  }
  require_filters(file, dataset, permissions);
}

std::set<std::string> require_stored(const File& file, const Dataset& dataset) {
  return StoredData(file, dataset).require();
}

bool is_contiguous(const Dataset& dataset) {
  const PropertyList properties = dataset.creation_properties();
  return layout_of(dataset, properties) == H5D_CONTIGUOUS &&
         external_count(dataset, properties) == 0;
}

}  // namespace fusedconv::app::hdf5
