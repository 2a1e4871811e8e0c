// SPDX-License-Identifier: Apache-2.0
#include "check.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <vector>

#include "hdf5/checked_open.hpp"
#include "hdf5/file_access.hpp"
#include "hdf5/images.hpp"
#include "hdf5/output_file.hpp"
#include "hdf5/row_checksums.hpp"
#include "hdf5/stored_data.hpp"
#include "partition.hpp"

namespace fusedconv::app {

namespace {

constexpr const char* output_name = "output";
constexpr std::int64_t block_elements = std::int64_t{1} << 22;

/// \return extents (N, C, H, W)
std::vector<std::int64_t> require_checksums(const std::string& path,
                                            const hdf5::Permissions& permissions) {
  try {
    const hdf5::File file = hdf5::open_checked_file(path);
    const hdf5::Dataset output = hdf5::open_checked_dataset(file, output_name, permissions);
    std::vector<std::int64_t> extents = output.extents();
    if (extents.size() != 4) {
      throw hdf5::InvalidFile(path, output_name, "extents (N, C, H, W)",
                              "extents " + hdf5::extents_text(extents));
    }
    hdf5::require_stored(file, output);
    if (!hdf5::is_complete(output)) {
      throw hdf5::InvalidFile(path, output_name, "a complete output", "one that is not");
    }
    if (!hdf5::has_object(file, hdf5::checksums_name)) {
      throw hdf5::InvalidFile(path, hdf5::checksums_name, "checksums, as --checksum stores them",
                              "none");
    }
    const hdf5::Dataset checksums =
        hdf5::open_checked_dataset(file, hdf5::checksums_name, permissions);
    hdf5::require_checksums(file, checksums, extents);
    return extents;
  } catch (const hdf5::Error& error) {
    throw hdf5::InvalidFile(path, error);
  }
}

std::string hexadecimal(std::uint32_t value) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08lx", static_cast<unsigned long>(value));
  return text.data();
}

/// Reads and compares image after image.
class ImageCheck {
 public:
  ImageCheck(const std::string& path, const std::vector<std::int64_t>& extents)
      : file_(hdf5::File::open_read_only(path, hdf5::access_alone().id())),
        output_(hdf5::Dataset::open(file_, output_name)),
        checksums_(hdf5::Dataset::open(file_, hdf5::checksums_name)),
        type_(output_.type()),
        extents_(extents) {}

  void check(std::int64_t image) {
    const hdf5::Region region{image, 1, 0, extents_[2]};
    const auto bytes = static_cast<std::int64_t>(type_.size());
    hdf5::RowChecksums found(extents_[3] * bytes);
    for (const hdf5::Block& block : hdf5::blocks_of(extents_, region, block_elements)) {
      values_.resize(static_cast<std::size_t>(block.size * bytes));
      hdf5::read_block(output_, block, type_.id(), values_.data());
      found.add(values_.data(), block.size * bytes);
    }
    const std::vector<std::uint32_t> expected = hdf5::read_checksums(checksums_, extents_, region);
    std::int64_t wrong = 0;
    for (std::size_t row = 0; row < expected.size(); ++row) {
      if (found.rows()[row] == expected[row]) continue;
      ++wrong;
      if (!checked_.first.empty()) continue;
      const auto number = static_cast<std::int64_t>(row);
      checked_.first = "row " + std::to_string(number % extents_[2]) + " of channel " +
                       std::to_string(number / extents_[2]) + " of image " + std::to_string(image) +
                       " with CRC-32 " + hexadecimal(found.rows()[row]) + " instead of " +
                       hexadecimal(expected[row]);
    }
    checked_.wrong_rows += wrong;
    checked_.wrong_images += wrong > 0 ? 1 : 0;
  }

  const CheckedOutput& checked() const { return checked_; }

 private:
  hdf5::File file_;
  hdf5::Dataset output_;
  hdf5::Dataset checksums_;
  hdf5::Datatype type_;
  std::vector<std::int64_t> extents_;
  std::vector<std::byte> values_;
  CheckedOutput checked_;
};

}  // namespace

CheckedOutput check_output(const std::string& path, const hdf5::Permissions& permissions,
                           const Communicator& communicator) {
  std::vector<std::int64_t> extents;
  std::string refusal;
  if (communicator.is_root()) {
    try {
      extents = require_checksums(path, permissions);
    } catch (const hdf5::InvalidFile& error) {
      refusal = error.what();
    }
  }
  communicator.broadcast(refusal);
  if (!refusal.empty()) throw hdf5::InvalidFile(refusal);
  communicator.broadcast(extents);

  const ImageRange share = images_of_rank(extents[0], communicator.size(), communicator.rank());
  CheckedOutput checked;
  if (share.count > 0) {
    checked = hdf5::naming_file(path, [&] {
      ImageCheck check(path, extents);
      for (std::int64_t image = share.first; image < share.first + share.count; ++image) {
        try {
          check.check(image);
        } catch (const hdf5::Error& error) {
          throw hdf5::Error(error.object(), "read image " + std::to_string(image), error.reason());
        }
      }
      return check.checked();
    });
  }
  CheckedOutput all{.images = extents[0],
                    .wrong_images = communicator.sum(checked.wrong_images),
                    .wrong_rows = communicator.sum(checked.wrong_rows),
                    .first = {}};
  // Ranks have images in their order.
  for (const std::string& first : communicator.gather(checked.first)) {
    if (all.first.empty()) all.first = first;
  }
  return all;
}

std::string to_string(const CheckedOutput& checked, const std::string& path) {
  const std::string images = std::to_string(checked.images) + " images";
  if (checked.wrong_rows == 0) return path + ": all rows of " + images + " have their checksums";
  return path + ": output: expected rows that have their checksums, found " +
         std::to_string(checked.wrong_rows) + " that have not in " +
         std::to_string(checked.wrong_images) + " of " + images + ", first " + checked.first;
}

}  // namespace fusedconv::app
