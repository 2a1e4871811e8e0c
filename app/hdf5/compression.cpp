// SPDX-License-Identifier: Apache-2.0
#include "compression.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fusedconv/error.hpp>
#include <numeric>

#include "../communicator.hpp"
#include "../partition.hpp"
#include "checked_open.hpp"
#include "images.hpp"
#include "output_file.hpp"
#include "row_checksums.hpp"

namespace fusedconv::app::hdf5 {

namespace {

constexpr H5Z_filter_t zstd_number = 32015;
constexpr std::int64_t chunk_bytes = std::int64_t{1} << 20;
constexpr std::int64_t copied_rows = std::int64_t{1} << 20;
constexpr std::int64_t chunks_between_questions = 16;

std::int64_t chunks_along(std::int64_t extent, std::int64_t chunk) {
  return (extent + chunk - 1) / chunk;
}

/// Copies checksums, which stay as they are. Creating and closing is collective, one rank writes.
void copy_checksums(const Communicator& communicator, const File& from, const File& to,
                    const std::vector<std::int64_t>& extents) {
  const Dataset source = Dataset::open(from, checksums_name);
  Dataset copy = create_checksums(to, extents, contiguous_layout());
  if (communicator.is_root()) {
    std::vector<std::uint32_t> rows;
    for (const Block& block : blocks_of_images(source.extents(), 0, extents[0], copied_rows)) {
      rows.resize(static_cast<std::size_t>(block.size));
      naming_file(from.name(), [&] { read_block(source, block, H5T_NATIVE_UINT32, rows.data()); });
      write_block(copy, block, H5T_NATIVE_UINT32, rows.data());
    }
  }
  copy.close();
}

/// The chunks of a dataset, numbered in row-major order.
class Chunks {
 public:
  Chunks(const std::vector<std::int64_t>& extents, const std::vector<std::int64_t>& chunk)
      : extents_(extents), chunk_(chunk) {
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      counts_.push_back(chunks_along(extents[axis], chunk[axis]));
    }
  }

  std::int64_t count() const {
    return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{1}, std::multiplies<>());
  }

  Block block(std::int64_t number) const {
    Block block{extents_, extents_, 0, 1};
    for (std::size_t axis = extents_.size(); axis-- > 0;) {
      block.start[axis] = number % counts_[axis] * chunk_[axis];
      block.count[axis] = std::min(chunk_[axis], extents_[axis] - block.start[axis]);
      block.size *= block.count[axis];
      number /= counts_[axis];
    }
    return block;
  }

 private:
  std::vector<std::int64_t> extents_;
  std::vector<std::int64_t> chunk_;
  std::vector<std::int64_t> counts_;
};

PropertyList compressed_layout(const std::vector<std::int64_t>& chunk,
                               const Compression& compression) {
  PropertyList creation(H5P_DATASET_CREATE);
  const std::vector<hsize_t> sizes(chunk.begin(), chunk.end());
  check(H5Pset_chunk(creation.id(), static_cast<int>(sizes.size()), sizes.data()), creation.name(),
        "choose chunks");
  check(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), creation.name(),
        "choose not to fill");
  check(H5Pset_shuffle(creation.id()), creation.name(), "choose to shuffle");
  const auto level = static_cast<unsigned>(compression.level);
  if (compression.filter == Filter::gzip) {
    check(H5Pset_deflate(creation.id(), level), creation.name(), "choose gzip");
  } else {
    check(H5Pset_filter(creation.id(), zstd_number, H5Z_FLAG_MANDATORY, 1, &level), creation.name(),
          "choose zstd");
  }
  return creation;
}

PropertyList collective_transfer(const Communicator& communicator) {
  PropertyList transfer(H5P_DATASET_XFER);
  if (communicator.size() > 1) {
    check(H5Pset_dxpl_mpio(transfer.id(), H5FD_MPIO_COLLECTIVE), transfer.name(),
          "choose collective transfers");
  }
  return transfer;
}

}  // namespace

std::string to_string(const Compression& compression) {
  switch (compression.filter) {
    case Filter::gzip:
      return "gzip " + std::to_string(compression.level);
    case Filter::zstd:
      return "zstd " + std::to_string(compression.level);
    default:
      return "none";
  }
}

Compression compression_from_string(const std::string& filter, const std::string& level) {
  if (filter != "gzip" && filter != "zstd") {
    throw InvalidArgument("compression", "gzip or zstd", filter);
  }
  const bool gzip = filter == "gzip";
  const int least = gzip ? 0 : 1;
  const int most = gzip ? 9 : 22;
  const bool digits = !level.empty() && level.size() <= 2 &&
                      level.find_first_not_of("0123456789") == std::string::npos;
  const int number = digits ? std::stoi(level) : -1;
  if (number < least || number > most) {
    throw InvalidArgument("compression level of " + filter,
                          "a number from " + std::to_string(least) + " to " + std::to_string(most),
                          level);
  }
  silence_automatic_printing();
  if (H5Zfilter_avail(gzip ? H5Z_FILTER_DEFLATE : zstd_number) <= 0) {
    throw InvalidArgument("compression",
                          "a filter that this HDF5 has or finds as plugin (HDF5_PLUGIN_PATH)",
                          filter + ", which it does not");
  }
  return {gzip ? Filter::gzip : Filter::zstd, number};
}

std::vector<std::int64_t> chunk_extents(const std::vector<std::int64_t>& extents,
                                        std::int64_t element_bytes) {
  const std::int64_t elements = chunk_bytes / element_bytes;
  const std::int64_t row = extents[3];
  const std::int64_t plane = extents[2] * row;
  const auto as_fit = [&](std::int64_t extent, std::int64_t size) {
    return std::clamp<std::int64_t>(elements / size, 1, extent);
  };
  if (plane <= elements) return {1, as_fit(extents[1], plane), extents[2], row};
  return {1, 1, as_fit(extents[2], row), row};
}

bool write_compressed(const Communicator& communicator, const std::string& from,
                      const std::string& to, const Compression& compression, const Hints& hints,
                      const std::function<bool()>& stop) {
  const PropertyList access = access_by(communicator, hints);
  const File source_file = File::open_read_only(from, access_alone().id());
  const Dataset source = naming_file(from, [&] { return Dataset::open(source_file, "output"); });
  const Datatype type = source.type();
  const std::vector<std::int64_t> extents = source.extents();
  const std::vector<std::int64_t> chunk =
      chunk_extents(extents, static_cast<std::int64_t>(type.size()));
  const Chunks chunks(extents, chunk);
  const ImageRange share = images_of_rank(chunks.count(), communicator.size(), communicator.rank());
  // A collective transfer is one of all ranks, also of those that have no more chunks.
  const std::int64_t steps = images_of_rank(chunks.count(), communicator.size(), 0).count;

  File file = File::create_together(to, access.id());
  return naming_file(to, [&] {
    Dataset dataset = create_output(file, type, extents, compressed_layout(chunk, compression));
    const PropertyList transfer = collective_transfer(communicator);
    std::vector<std::byte> values;
    for (std::int64_t step = 0; step < steps; ++step) {
      if (step % chunks_between_questions == 0 && stop()) return false;
      Block block = chunks.block(std::min(share.first + step, chunks.count() - 1));
      const bool mine = step < share.count;
      if (!mine) block.size = 0;
      values.resize(static_cast<std::size_t>(block.size) * type.size());
      if (mine) naming_file(from, [&] { read_block(source, block, type.id(), values.data()); });
      write_block(dataset, block, type.id(), values.data(), transfer.id());
    }
    dataset.close();
    if (has_object(source_file, checksums_name)) {
      copy_checksums(communicator, source_file, file, extents);
    }
    file.close();
    return true;
  });
}

}  // namespace fusedconv::app::hdf5
