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

inline constexpr DirectDeviceWork direct_device_nanoseconds{13.4,  0.00231, 0.000794, 0.111,
                                                            0.358, 0.628,   0.00481};

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
          g.width % 4 == 0 ? 0 : floats,
          chunks * static_cast<double>(plan.pairs()),
          static_cast<double>(g.out_channels * g.output_height * g.output_width)};
}

/// Of the kernel that a plan is for.
inline const TensorCoreTimes& tensor_core_times(const TensorCorePlan& plan) {
  struct Kernel {
    TensorCoreTimes fp32, tf32;
  };
  static constexpr Kernel in_passes{{4, {0, 0, 0, 0.00236, 0.00144, 0, 0.000389}},
                                    {4, {0, 0, 0, 0.00168, 0.00125, 0, 0.000362}}};
  static constexpr Kernel unrolled_by_warpgroup{
      {4, {3.44, 0, 0, 0.000781, 0.00259, 1.71, 0.000643}},
      {4, {3.52, 0, 0, 0.000398, 0.00273, 1.42, 0.00063}}};
  static constexpr Kernel unrolled{{3, {3.02, 0, 0, 0, 0.00372, 3.66, 0.00078}},
                                   {3, {3.03, 0, 0, 0, 0.0037, 2.62, 0.000789}}};
  static constexpr Kernel one_warpgroup{{2, {20.1, 23.6, 4.8, 0.000798, 0, 1.04, 0.000267}},
                                        {3, {1.63, 0, 2.38, 0.000921, 0, 0.379, 0.00103}}};
  static constexpr Kernel two_warpgroups{{},  // which takes one in fp32
                                         {2, {15.5, 29.3, 2.92, 0.000789, 0, 0.778, 0.00157}}};
  static constexpr Kernel channels_32{{2, {16, 23.1, 3.55, 0.00101, 0.00315, 1.57, 0.00132}},
                                      {4, {8.52, 13.1, 2.88, 0.00031, 0.00165, 0.501, 0.00106}}};
  static constexpr Kernel channels_64{{2, {17.4, 24, 4.51, 0.000664, 0.00331, 1.71, 0.00106}},
                                      {4, {10.5, 13.7, 3.63, 0.0000518, 0.0017, 0.561, 0.000822}}};
  static constexpr Kernel channels_128{{2, {16.6, 27.3, 1.64, 0.00263, 0.00171, 0, 0.00321}},
                                       {3, {3.21, 10.4, 0, 0.00252, 0.00151, 0, 0.00437}}};
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
