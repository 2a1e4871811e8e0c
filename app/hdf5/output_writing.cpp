// SPDX-License-Identifier: Apache-2.0
#include "output_file.hpp"
#include "row_checksums.hpp"

namespace fusedconv::app::hdf5 {

namespace {

/// Elements that are converted at a time: the buffer stays small beside those of the pieces.
constexpr std::int64_t conversion_elements = std::int64_t{1} << 22;

/// As create_output() names it.
constexpr const char* dataset_name = "output";

}  // namespace

OutputFile::OutputFile(const std::string& path, const Storage& storage, hid_t access)
    : file_(File::open_together(path, access)),
      dataset_(naming_file(path, [&] { return Dataset::open(file_, dataset_name); })),
      type_(storage.type),
      stored_type_(stored_type(storage.type)) {
  if (!storage.checksums) return;
  naming_file(path, [&] { checksums_ = Dataset::open(file_, checksums_name); });
}

void OutputFile::write(const Region& region, const float* values) { store(region, values, true); }

void OutputFile::write_checksums_alone(const Region& region, const float* values) {
  if (checksums_) store(region, values, false);
}

void OutputFile::store(const Region& region, const float* values, bool with_data) {
  naming_file(file_.name(), [&] {
    const std::vector<std::int64_t> extents = dataset_.extents();
    RowChecksums checksums(extents[3] * element_bytes(type_));
    const auto add = [&](const void* stored, std::int64_t elements) {
      if (checksums_) checksums.add(stored, elements * element_bytes(type_));
    };
    if (type_ == ElementType::float32) {
      add(values, region.images * extents[1] * region.rows * extents[3]);
      if (with_data) write_region(dataset_, region, values);
    } else {
      for (const Block& block : blocks_of(extents, region, conversion_elements)) {
        convert(values + block.offset, block.size);
        add(converted_.data(), block.size);
        if (with_data) write_block(dataset_, block, stored_type_.id(), converted_.data());
      }
    }
    if (checksums_) write_checksums(*checksums_, extents, region, checksums.rows());
  });
}

void OutputFile::convert(const float* values, std::int64_t count) {
  converted_.resize(static_cast<std::size_t>(count));
  if (type_ == ElementType::float16) {
    to_float16(values, count, converted_.data());
  } else {
    to_bfloat16(values, count, converted_.data());
  }
}

void OutputFile::close() {
  naming_file(file_.name(), [&] {
    dataset_.close();
    if (checksums_) checksums_->close();
    file_.close();
  });
}

}  // namespace fusedconv::app::hdf5
