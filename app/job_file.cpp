// SPDX-License-Identifier: Apache-2.0
#include "job_file.hpp"

#include <algorithm>

#include "hdf5/file_access.hpp"
#include "missing_rows.hpp"
#include "report.hpp"

namespace fusedconv::app {

namespace {

/// Elements that are read at a time to be compared.
constexpr std::int64_t compared_elements = std::int64_t{1} << 22;

/// Parts of a region that have no more elements than are compared at a time, if a row has not.
std::vector<hdf5::Region> parts_of(const hdf5::Region& region, const Shape& shape) {
  const std::int64_t row = shape.out_channels * shape.output_width();
  const std::int64_t step = std::clamp<std::int64_t>(compared_elements / row, 1, region.rows);
  std::vector<hdf5::Region> parts;
  for (std::int64_t image = 0; image < region.images; ++image) {
    for (std::int64_t done = 0; done < region.rows; done += step) {
      parts.push_back({region.first_image + image, 1, region.first_row + done,
                       std::min(step, region.rows - done)});
    }
  }
  return parts;
}

/// Does what reads an input. What HDF5 finds wrong with one that was written to meanwhile is just
/// that. \throws FileChanged
template <class Action>
void read_unchanged(const InputFile& file, const Action& action) {
  try {
    action();
  } catch (const hdf5::Error&) {
    require_unchanged(file.name, file.state);
    throw;
  }
  require_unchanged(file.name, file.state);
}

}  // namespace

JobFile::JobFile(const Communicator& of, int first_rank, int ranks, const Shape& shape,
                 const InputFile& file, const FoundOutput& found, const Fingerprint& fingerprint,
                 const OutputForm& form)
    : ranks_(of, first_rank, ranks),
      shape_(shape),
      file_(file),
      found_(found),
      form_(form),
      output_(ranks_, file.output, shape, form.storage, form.hints, form.writing, fingerprint) {
  form_.made.input_file = file.name;
  form_.made.input_file_size = file.state.bytes;
  form_.made.fingerprint = hash_text(fingerprint);
}

void JobFile::open() {
  output_.open(found_);
  read_unchanged(file_, [&] {
    input_file_ = hdf5::File::open_read_only(file_.name, hdf5::access_alone().id());
    input_ =
        hdf5::naming_file(file_.name, [&] { return hdf5::Dataset::open(*input_file_, "input"); });
  });
  if (!file_.reference.empty()) {
    verification_.emplace(ranks_, file_.reference, form_.storage.type);
  }
}

void JobFile::read(const hdf5::Region& region, float* values) {
  read_unchanged(file_, [&] {
    hdf5::naming_file(file_.name, [&] { hdf5::read_region(*input_, region, values); });
  });
}

void JobFile::write(const hdf5::Region& region, const float* values) {
  output_.write(region, values);
}

void JobFile::compare(const hdf5::Region& region, const float* values) {
  if (verification_) verification_->compare(region, values);
}

bool JobFile::finish(bool done, const std::function<bool()>& stop) {
  input_.reset();
  input_file_.reset();
  output_.close();
  if (ranks_.minimum(std::int64_t{done}) == 0) return false;
  if (ranks_.is_root()) {
    for (const auto& [name, state] : file_.other_files) require_unchanged(name, state);
  }
  form_.made.end_time = time_text();
  const bool whole = output_.finish(form_.made, form_.compression,
                                    [&] { return ranks_.maximum(std::int64_t{stop()}) > 0; });
  if (whole && verification_) {
    if (ranks_.is_root()) compare_earlier(output_.name());
    deviation_ = verification_->deviation();
  }
  return whole;
}

void JobFile::compare_complete() {
  if (file_.reference.empty()) return;
  verification_.emplace(ranks_, file_.reference, form_.storage.type);
  compare_earlier(output_.name());
  deviation_ = verification_->deviation();
}

void JobFile::compare_earlier(const std::string& path) {
  const std::vector<hdf5::Region> earlier =
      missing_rows(shape_.batch, shape_.output_height(), found_.missing);
  if (earlier.empty()) return;
  const hdf5::File file = hdf5::File::open_read_only(path);
  hdf5::naming_file(path, [&] {
    const hdf5::Dataset output = hdf5::Dataset::open(file, "output");
    std::vector<float> values;
    for (const hdf5::Region& region : earlier) {
      for (const hdf5::Region& part : parts_of(region, shape_)) {
        values.resize(
            static_cast<std::size_t>(part.rows * shape_.out_channels * shape_.output_width()));
        hdf5::read_region(output, part, values.data());
        verification_->compare(part, values.data());
      }
    }
  });
}

}  // namespace fusedconv::app
