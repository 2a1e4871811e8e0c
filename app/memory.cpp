// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fusedconv/error.hpp>
#include <optional>

namespace fusedconv::app {

namespace {

constexpr auto float_bytes = static_cast<std::int64_t>(sizeof(float));

std::int64_t bytes_of(const Buffers& buffers) {
  return buffers.count * (buffers.input_elements + buffers.output_elements) * float_bytes;
}

std::int64_t bytes_of_one(const Buffers& buffers) {
  return (buffers.input_elements + buffers.output_elements) * float_bytes;
}

/// Two buffers of each kind let reading, computing and writing overlap; one piece needs but one.
int buffer_count(std::int64_t pieces) { return pieces > 1 ? 2 : 1; }

class Sizes {
 public:
  Sizes(const Shape& shape, std::int64_t ranks, const LayerMemory& layer)
      : shape_(shape),
        layer_(layer),
        most_images_(images_of_rank(shape.batch, ranks, 0).count),
        most_rows_(layer.row_alignment > 0
                       ? rows_of_rank(shape.output_height(), layer.row_alignment, ranks, 0).count
                       : 0) {}

  /// Of the rank that has the most.
  std::int64_t most_images() const { return most_images_; }
  std::int64_t most_rows() const { return most_rows_; }

  PiecePlan whole_images(std::int64_t images) const {
    PiecePlan plan;
    plan.cut.images = images;
    plan.buffers.count = buffer_count((most_images_ + images - 1) / images);
    plan.buffers.input_elements = shape_.with_batch(images).input_size();
    plan.buffers.output_elements = shape_.with_batch(images).output_size();
    plan.memory = memory(plan.buffers, layer_.workspace_bytes(images));
    return plan;
  }

  PiecePlan rows_of_images(std::int64_t rows) const {
    PiecePlan plan;
    plan.cut.by_rows = true;
    plan.cut.rows = rows;
    plan.cut.alignment = layer_.row_alignment;
    plan.statistics_words = layer_.statistics_words;
    const bool two_sweeps = rows < most_rows_;
    plan.buffers.count = buffer_count(two_sweeps ? 2 : shape_.batch);
    const std::int64_t reach = shape_.dilation[0] * (shape_.kernel_size[0] - 1) + 1;
    const std::int64_t most_input_rows =
        std::min(shape_.height, (rows - 1) * shape_.stride[0] + reach);
    plan.buffers.input_elements = shape_.in_channels * most_input_rows * shape_.width;
    plan.buffers.output_elements = shape_.out_channels * rows * shape_.output_width();
    plan.memory = memory(plan.buffers, layer_.workspace_bytes(1));
    const std::int64_t statistics =
        layer_.statistics_words * static_cast<std::int64_t>(sizeof(std::uint64_t));
    // A computation's own, those that are being summed, and what MPI may need for it.
    plan.memory.host += 3 * statistics;
    if (layer_.on_device) plan.memory.device += statistics;
    return plan;
  }

 private:
  MemoryBytes memory(const Buffers& buffers, std::int64_t workspace_bytes) const {
    MemoryBytes bytes{bytes_of(buffers) + layer_.parameter_bytes, 0};
    (layer_.on_device ? bytes.device : bytes.host) += workspace_bytes;
    if (layer_.on_device) bytes.device += bytes_of(buffers);
    return bytes;
  }

  const Shape& shape_;
  const LayerMemory& layer_;
  std::int64_t most_images_;
  std::int64_t most_rows_;
};

bool is_within(const MemoryBytes& bytes, const MemoryBytes& limit) {
  return bytes.host <= limit.host && bytes.device <= limit.device;
}

/// The plan for the largest count in [1, most] whose memory and piece are within limits, if any is.
template <class PlanOf>
std::optional<PiecePlan> largest_that_fits(std::int64_t most, std::int64_t most_bytes,
                                           const MemoryBytes& limit, PlanOf&& plan_of) {
  std::int64_t fits = 0;
  std::int64_t too_many = most + 1;
  while (too_many - fits > 1) {
    const std::int64_t count = fits + (too_many - fits) / 2;
    const PiecePlan plan = plan_of(count);
    const bool is_small = count == 1 || bytes_of_one(plan.buffers) <= most_bytes;
    (is_small && is_within(plan.memory, limit) ? fits : too_many) = count;
  }
  if (fits == 0) return std::nullopt;
  return plan_of(fits);
}

std::optional<PiecePlan> plan_within(const Sizes& sizes, bool few_images, const LayerMemory& layer,
                                     const MemoryBytes& limit) {
  const std::int64_t most_bytes = most_bytes_of_a_piece(layer.on_device);
  const auto whole = [&] {
    return largest_that_fits(sizes.most_images(), most_bytes, limit,
                             [&](std::int64_t images) { return sizes.whole_images(images); });
  };
  if (layer.row_alignment == 0) return whole();
  if (!few_images) {
    if (std::optional<PiecePlan> plan = whole()) return plan;
  }
  const PiecePlan one_sweep = sizes.rows_of_images(sizes.most_rows());
  if (is_within(one_sweep.memory, limit)) return one_sweep;
  const std::int64_t blocks = (sizes.most_rows() + layer.row_alignment - 1) / layer.row_alignment;
  return largest_that_fits(blocks, most_bytes, limit, [&](std::int64_t count) {
    return sizes.rows_of_images(std::min(count * layer.row_alignment, sizes.most_rows()));
  });
}

PiecePlan smallest(const Sizes& sizes, const LayerMemory& layer) {
  if (layer.row_alignment == 0) return sizes.whole_images(1);
  const PiecePlan rows = sizes.rows_of_images(std::min(layer.row_alignment, sizes.most_rows()));
  const PiecePlan image = sizes.whole_images(1);
  return image.memory.host < rows.memory.host ? image : rows;
}

void require_available(const PiecePlan& plan, const MemoryBytes& available) {
  const char* const what = "buffers and workspace of a piece";
  if (plan.memory.host > available.host) {
    throw OutOfMemory(what, "Host", plan.memory.host);
  }
  if (plan.memory.device > available.device) {
    throw OutOfMemory(what, "of the device", plan.memory.device);
  }
}

void require_demanded(const char* option, std::int64_t bytes, std::int64_t demanded) {
  if (bytes <= demanded) return;
  throw InvalidArgument(
      option,
      "at least " + std::to_string(bytes) + " bytes, which the smallest piece of this layer takes",
      std::to_string(demanded));
}

}  // namespace

PiecePlan plan_pieces(const Shape& shape, std::int64_t ranks, std::int64_t chunk,
                      const LayerMemory& layer, const MemoryLimit& limit) {
  const Sizes sizes(shape, ranks, layer);
  if (chunk > 0) {
    const PiecePlan plan = sizes.whole_images(std::min(chunk, sizes.most_images()));
    require_available(plan, limit.available);
    return plan;
  }
  const bool few_images = shape.batch < ranks;
  const std::optional<PiecePlan> within = plan_within(sizes, few_images, layer, limit.wanted);
  const PiecePlan plan = within ? *within : smallest(sizes, layer);
  require_available(plan, limit.available);
  if (limit.host_is_demanded) require_demanded("--memory", plan.memory.host, limit.wanted.host);
  if (limit.device_is_demanded) {
    require_demanded("--device-memory", plan.memory.device, limit.wanted.device);
  }
  return plan;
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

}  // namespace fusedconv::app
