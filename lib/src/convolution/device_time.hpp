// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_DEVICE_TIME_HPP
#define FUSEDCONV_SRC_CONVOLUTION_DEVICE_TIME_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fusedconv/options.hpp>

#include "direct_device_plan.hpp"
#include "tensor_core_plan.hpp"

namespace fusedconv::detail {

/// How much there is of each kind of work; or how long one of each takes a GPU, in nanoseconds.
template <std::size_t Kinds>
using Work = std::array<double, Kinds>;

template <std::size_t Kinds>
double time_of(const Work<Kinds>& work, const Work<Kinds>& nanoseconds_each) {
  double nanoseconds = 0;
  for (std::size_t kind = 0; kind < Kinds; ++kind) {
    nanoseconds += work[kind] * nanoseconds_each[kind];
  }
  return nanoseconds;
}

/// Of the portable kernels: teams; outputs; inputs; rows of 160 floats that teams copy to scratch
/// memory; weights that a thread multiplies, of a channel, for each team: of unrolled kernels, of
/// others; outputs that wait in y, each time.
using DirectDeviceWork = Work<7>;

/// The work of an image.
inline DirectDeviceWork work_of(const DirectDevicePlan& plan) {
  using Source = DirectDevicePlan::Source;
  constexpr std::int64_t row_floats = 160;
  constexpr std::int64_t taps_summed = 256;
  const Geometry& g = plan.geometry;
  const std::int64_t chunks =
      (g.group_out_channels + plan.weight_block() - 1) / plan.weight_block();
  const auto teams = static_cast<double>(plan.tiles.size() * g.groups * chunks);
  const auto outputs = static_cast<double>(g.out_channels * g.output_height * g.output_width);
  const std::int64_t taps = g.group_in_channels * g.kernel_height * g.kernel_width;
  const std::int64_t rows =
      plan.source == Source::global
          ? 0
          : plan.patch_height * ((plan.patch_width + row_floats - 1) / row_floats);
  const double weights = teams * static_cast<double>(taps);
  const bool unrolled = plan.source == Source::unrolled;
  return {teams,
          outputs,
          static_cast<double>(g.in_channels * g.height * g.width),
          teams * static_cast<double>(g.group_in_channels) * static_cast<double>(rows),
          unrolled ? weights : 0,
          unrolled ? 0 : weights,
          outputs * static_cast<double>((taps - 1) / taps_summed)};
}

inline constexpr DirectDeviceWork direct_device_nanoseconds{13.5,  0.00219, 0.000814, 0.114,
                                                            0.366, 0.622,   0.00355};

/// Of the tensor cores' kernels: tiles in one pass; in two; chunks of input channels, in each pass;
/// floats of their patches; of those whose rows do not begin with words; pairs of taps; outputs.
using TensorCoreWork = Work<7>;

/// What is known of a kernel of the tensor cores.
struct TensorCoreTimes {
  std::int64_t most_blocks;  ///< that its registers leave a multiprocessor
  TensorCoreWork nanoseconds_each;
};

/// The work of an image on an H200, whose size other GPUs are taken to have: what is chosen, and
/// with it the last bits, shall not depend on the number of multiprocessors.
/// \param most_blocks that the kernel's registers leave a multiprocessor
inline TensorCoreWork work_of(const TensorCorePlan& plan, std::int64_t most_blocks) {
  constexpr std::int64_t multiprocessors = 132;
  constexpr std::int64_t shared_bytes = 228 * 1024;
  constexpr std::int64_t reserved_bytes = 1024;  // of each block, by CUDA
  const Geometry& g = plan.geometry;
  const std::int64_t blocks = std::clamp<std::int64_t>(
      shared_bytes / (plan.shared_bytes() + reserved_bytes), 1, most_blocks);
  const bool one_pass = plan.is_one_pass(blocks * multiprocessors);
  // A block takes as long where shared memory has room for fewer beside it.
  const double tiles = static_cast<double>(plan.tiles_per_image()) *
                       static_cast<double>(most_blocks) / static_cast<double>(blocks);
  const double chunks = (one_pass ? 1 : 2) * tiles * static_cast<double>(plan.chunks());
  const double floats = chunks * static_cast<double>(plan.chunk_channels * plan.patch_plane());
  return {one_pass ? tiles : 0,
          one_pass ? 0 : tiles,
          chunks,
          floats,
          plan.begins_with_words() ? 0 : floats,
          chunks * static_cast<double>(plan.pairs()),
          static_cast<double>(g.out_channels * g.output_height * g.output_width)};
}

/// Of the kernel that a plan is for.
inline const TensorCoreTimes& tensor_core_times(const TensorCorePlan& plan) {
  struct Kernel {
    TensorCoreTimes fp32, tf32;
  };
  static constexpr Kernel in_passes{{4, {0, 0, 0, 0.00234, 0.00142, 0, 0.000353}},
                                    {4, {0, 0, 0, 0.00167, 0.00123, 0, 0.000334}}};
  static constexpr Kernel unrolled_by_warpgroup{
      {4, {3.58, 0, 0, 0.00119, 0.00087, 1.41, 0.000647}},
      {4, {3.5, 0, 0, 0.000793, 0.000879, 1.13, 0.000664}}};
  static constexpr Kernel unrolled{{3, {2.98, 0, 0, 0, 0.00087, 3.65, 0.000816}},
                                   {3, {3.03, 0, 0, 0, 0.000879, 2.61, 0.000833}}};
  static constexpr Kernel one_warpgroup{{2, {22.6, 24.9, 5.33, 0.000726, 0.000915, 1.06, 0}},
                                        {3, {9.2, 11.7, 4.25, 0.000405, 0.0012, 0.307, 0}}};
  static constexpr Kernel two_warpgroups{
      {},  // which takes one in fp32
      {2, {13.4, 24.1, 3.63, 0.000621, 0.00105, 0.797, 0.00199}}};
  static constexpr Kernel channels_32{{2, {14.6, 19.1, 6.33, 0.000785, 0.00117, 1.46, 0.00146}},
                                      {4, {8.68, 13.6, 3.22, 0.000279, 0.000713, 0.473, 0.00116}}};
  static constexpr Kernel channels_64{{2, {19, 28.1, 4.57, 0.000643, 0.000929, 1.7, 0.000981}},
                                      {4, {9.8, 13.3, 3.68, 0.0000969, 0.000692, 0.54, 0.00105}}};
  static constexpr Kernel channels_128{{2, {18.4, 29.6, 1.43, 0.00269, 0.000828, 0, 0.00287}},
                                       {3, {0, 7.29, 0, 0.00395, 0.00244, 0, 0.00471}}};
  const Kernel& kernel = plan.in_passes                 ? in_passes
                         : plan.unrolled_by_warpgroup() ? unrolled_by_warpgroup
                         : plan.unrolled                ? unrolled
                         : plan.warpgroups == 1         ? one_warpgroup
                         : plan.warpgroups == 2         ? two_warpgroups
                         : plan.warps_m == 1            ? channels_32
                         : plan.warps_m == 2            ? channels_64
                                                        : channels_128;
  return plan.precision == Precision::fp32 ? kernel.fp32 : kernel.tf32;
}

/// Launches are shared by the images of a run, whose number a plan must not depend on.
inline constexpr double images_of_a_run = 128;

/// About how many nanoseconds an image takes a GPU: work times what each of it took an NVIDIA H200,
/// by a fit to runs of hundreds of layers (README.md). Other GPUs take other times, but it is two
/// estimates that are compared.
inline double estimated_time(const DirectDevicePlan& plan) {
  constexpr double launches = 34000;
  return launches / images_of_a_run + time_of(work_of(plan), direct_device_nanoseconds);
}
/// Likewise.
inline double estimated_time(const TensorCorePlan& plan) {
  constexpr double launches = 20000;
  const TensorCoreTimes& times = tensor_core_times(plan);
  return launches / images_of_a_run +
         time_of(work_of(plan, times.most_blocks), times.nanoseconds_each);
}

}  // namespace fusedconv::detail

#endif
