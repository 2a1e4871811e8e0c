// SPDX-License-Identifier: Apache-2.0
#include "verify.hpp"

#include <cmath>
#include <limits>

#include "hdf5/checked_open.hpp"
#include "hdf5/file_access.hpp"
#include "hdf5/images.hpp"
#include "hdf5/stored_data.hpp"

namespace fusedconv::app {

namespace {

constexpr const char* dataset_name = "output";
constexpr std::int64_t block_elements = std::int64_t{1} << 20;

bool alike(double value, double reference) {
  return value == reference || (std::isnan(value) && std::isnan(reference));
}

}  // namespace

bool Deviation::passes(double tolerance) const {
  return unlike_nonfinite == 0 && relative_l2 <= tolerance;
}

void check_reference(const std::string& path, const Shape& shape,
                     const hdf5::Permissions& permissions) {
  try {
    const hdf5::File file = hdf5::open_checked_file(path);
    const hdf5::Dataset reference = hdf5::open_checked_dataset(file, dataset_name, permissions);
    const std::vector<std::int64_t> expected{shape.batch, shape.out_channels, shape.output_height(),
                                             shape.output_width()};
    const std::vector<std::int64_t> found = reference.extents();
    if (found != expected) {
      throw hdf5::InvalidFile(path, dataset_name, "extents " + hdf5::extents_text(expected),
                              "extents " + hdf5::extents_text(found));
    }
    hdf5::require_stored(file, reference);
  } catch (const hdf5::Error& error) {
    hdf5::refuse(path, error);
  }
}

Verification::Verification(const Communicator& communicator, const std::string& path,
                           hdf5::ElementType type)
    : communicator_(communicator),
      type_(type),
      file_(hdf5::File::open_read_only(path, hdf5::access_alone().id())),
      reference_(hdf5::Dataset::open(file_, dataset_name)),
      extents_(reference_.extents()) {}

void Verification::compare(const hdf5::Region& region, const float* values) {
  for (const hdf5::Block& block : hdf5::blocks_of(extents_, region, block_elements)) {
    block_.resize(static_cast<std::size_t>(block.size));
    hdf5::naming_file(file_.name(), [&] { hdf5::read_block(reference_, block, block_.data()); });
    for (std::int64_t i = 0; i < block.size; ++i) {
      const double value = hdf5::rounded(values[block.offset + i], type_);
      const double reference = block_[static_cast<std::size_t>(i)];
      if (!std::isfinite(value) || !std::isfinite(reference)) {
        if (!alike(value, reference)) ++unlike_nonfinite_;
        continue;
      }
      const double difference = std::abs(value - reference);
      squared_difference_ += difference * difference;
      squared_reference_ += reference * reference;
      if (difference < maximum_ || difference == 0) continue;
      const std::int64_t at = position(block, i);
      // Rows of an image come with all channels, so the first of equals need not come first.
      if (difference > maximum_ || at < at_) at_ = at;
      maximum_ = difference;
    }
  }
}

std::int64_t Verification::position(const hdf5::Block& block, std::int64_t element) const {
  std::array<std::int64_t, 4> at{};
  for (int axis = 3; axis >= 0; --axis) {
    at[axis] = block.start[axis] + element % block.count[axis];
    element /= block.count[axis];
  }
  return ((at[0] * extents_[1] + at[1]) * extents_[2] + at[2]) * extents_[3] + at[3];
}

Deviation Verification::deviation() const {
  Deviation result;
  const double difference = communicator_.sum(squared_difference_);
  const double reference = communicator_.sum(squared_reference_);
  result.relative_l2 = difference == 0 ? 0 : std::sqrt(difference / reference);
  result.maximum = communicator_.maximum(maximum_);
  std::int64_t at = communicator_.minimum(
      maximum_ == result.maximum && maximum_ > 0 ? at_ : std::numeric_limits<std::int64_t>::max());
  if (result.maximum == 0) at = 0;
  for (int axis = 3; axis > 0; --axis) {
    result.at[axis] = at % extents_[axis];
    at /= extents_[axis];
  }
  result.at[0] = at;
  result.unlike_nonfinite = communicator_.sum(unlike_nonfinite_);
  return result;
}

}  // namespace fusedconv::app
