// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fusedconv/error.hpp>
#include <fusedconv/shape.hpp>
#include <iomanip>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

#include "../allocate.hpp"
#include "../normalize.hpp"
#include "../row_statistics.hpp"
#include "device_time.hpp"
#include "first_pass.hpp"
#include "tensor_core_kernel.hpp"
#include "tensor_core_pass_kernel.hpp"
#include "tensor_core_plan.hpp"
#include "tensor_core_row_statistics.hpp"
#include "tensor_core_task.hpp"
#include "tensor_core_warpgroup_kernel.hpp"
#include "tensor_core_weights.hpp"
#include "tuned.hpp"

namespace fusedconv::detail {

inline void require_success(cudaError_t status, const char* what) {
  if (status != cudaSuccess) {
    throw std::runtime_error(std::string("fusedconv: ") + what + ": " + cudaGetErrorString(status));
  }
}

template <class Configuration>
constexpr bool has_fixed_bytes() {
  return offsetof(TensorCoreShared<Configuration>, patch) ==
         tensor_core_fixed_bytes(Configuration::channels, Configuration::pixels,
                                 Configuration::warps, Configuration::warps_n);
}
static_assert(has_fixed_bytes<TensorCoreWarpgroupConfiguration<true, 1, true>>());
static_assert(has_fixed_bytes<TensorCoreWarpgroupConfiguration<false, 2, true>>());
static_assert(has_fixed_bytes<TensorCoreUnrolledWarpgroupConfiguration<true, 64, true>>());
static_assert(has_fixed_bytes<TensorCoreUnrolledWarpgroupConfiguration<true, 128, true>>());

template <class Configuration>
TensorCoreKernel tensor_core_kernel_of() {
  static_assert(has_fixed_bytes<Configuration>());
  return tensor_core_block<Configuration>;
}

template <bool Split, bool BeginsWithWords>
TensorCoreKernel tensor_core_kernel_of(const TensorCorePlan& plan) {
  constexpr bool begins = BeginsWithWords;
  if (plan.unrolled) {
    return tensor_core_kernel_of<TensorCoreConfiguration<Split, 4, 1, 3, begins>>();
  }
  switch (plan.warps_m) {
    case 1:
      return tensor_core_kernel_of<TensorCoreConfiguration<Split, 4, 1, 0, begins>>();
    case 2:
      return tensor_core_kernel_of<TensorCoreConfiguration<Split, 4, 2, 0, begins>>();
    default:
      return tensor_core_kernel_of<TensorCoreConfiguration<Split, 8, 4, 0, begins>>();
  }
}

inline TensorCoreKernel tensor_core_kernel(const TensorCorePlan& plan) {
  const bool split = plan.precision == Precision::fp32;
  const bool begins_with_words = plan.begins_with_words();
#ifdef FUSEDCONV_HAVE_WGMMA
  if (plan.warpgroups > 0) {
    return plan.unrolled ? tensor_core_unrolled_warpgroup_kernel(
                               split, static_cast<int>(plan.tiles.tile_width), begins_with_words)
                         : tensor_core_warpgroup_kernel(split, static_cast<int>(plan.warpgroups),
                                                        begins_with_words);
  }
#endif
  if (split) {
    return begins_with_words ? tensor_core_kernel_of<true, true>(plan)
                             : tensor_core_kernel_of<true, false>(plan);
  }
  return begins_with_words ? tensor_core_kernel_of<false, true>(plan)
                           : tensor_core_kernel_of<false, false>(plan);
}

/// The block on tensor cores: one kernel where all tiles of an image are in flight at once, else
/// the kernel twice, for the statistics and for y.
class TensorCore {
 public:
  using Plan = TensorCorePlan;
  using ExecutionSpace = Kokkos::Cuda;
  using Weight =
      Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  static std::int64_t workspace_bytes(const Plan& plan, const Shape& shape) {
    return 4 * (tensor_core_fragment_words(plan) + shape.weight_size() + 5 * shape.out_channels +
                2) +
           shape.batch * shape.num_groups * tensor_core_statistics_words * 8;
  }

  static Plan make_plan(const Shape& shape, Precision precision) {
#ifdef FUSEDCONV_HAVE_WGMMA
    const cudaDeviceProp& device = Kokkos::Cuda().cuda_device_prop();
    return {shape, precision, device.major == 9 && device.minor == 0};
#else
    return {shape, precision, false};
#endif
  }

  /// \throws InvalidArgument if this shape or this device cannot be served
  static void require_applicable(const Shape& shape, Precision precision) {
    if (Kokkos::Cuda().cuda_device_prop().major < 8) {
      throw InvalidArgument("algorithm", "one for a GPU of compute capability below 8.0",
                            "tensor_core");
    }
    const Plan plan = make_plan(shape, precision);
    if (plan.shared_bytes() > shared_limit()) {
      throw InvalidArgument("algorithm",
                            "one for a kernel whose input patch takes " +
                                std::to_string(plan.shared_bytes()) + " bytes of shared memory",
                            "tensor_core");
    }
  }

  /// Whether this is the faster way, and why, as the end of a sentence.
  struct Choice {
    bool pays;
    std::string reason;
  };

  static Choice choice(const Shape& shape, Precision precision) {
    if (Kokkos::Cuda().cuda_device_prop().major < 8) {
      return {false, "this GPU's tensor cores are of a compute capability below 8.0"};
    }
    const Plan plan = make_plan(shape, precision);
    if (plan.shared_bytes() > shared_limit()) {
      return {false,
              "the kernel's input patch takes more shared memory than tensor cores are given"};
    }
    if (plan.tiles_per_image() > std::numeric_limits<std::int32_t>::max()) {
      return {false, "an image has more tiles than a launch on tensor cores"};
    }
    const double here = estimated_time(plan);
    const double elsewhere = estimated_time(DirectDevicePlan(shape));
    return {here < elsewhere, "an image of many is estimated to take " + microseconds(here) +
                                  " us on tensor cores and " + microseconds(elsewhere) +
                                  " us by the portable kernels"};
  }

  TensorCore(const ExecutionSpace& exec, const Plan& plan, const Weight& weight,
             const Epilogue<ExecutionSpace>& epilogue, const Shape& shape)
      : plan_(plan),
        kernel_(tensor_core_kernel(plan)),
        packed_(pack_tensor_core_weights(exec, plan, weight, epilogue)),
        statistics_(allocate<Statistics>(
            exec, "statistics", shape.batch * shape.num_groups * tensor_core_statistics_words)),
        tiles_taken_(allocate<Counter>(exec, "tiles taken", 1)) {
    resident_blocks_ =
        resident_blocks(exec, reinterpret_cast<const void*>(kernel_), plan.shared_bytes());
#ifdef FUSEDCONV_HAVE_WGMMA
    if (plan.in_passes) {
      const bool split = plan.precision == Precision::fp32;
      for (const bool normalizes : {false, true}) {
        Pass& pass = passes_[normalizes ? 1 : 0];
        pass.kernel = tensor_core_pass_kernel(split, normalizes);
        pass.resident_blocks = resident_blocks(
            exec, reinterpret_cast<const void*>(pass.kernel.function), pass.kernel.shared_bytes);
      }
    }
#endif
    one_pass_ = plan.is_one_pass(resident_blocks_);
  }

  void operator()(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>&,
                  const FirstPass<ExecutionSpace>& pass,
                  const GroupNorm<ExecutionSpace>& group_norm) const {
    clear_statistics(exec);
    const std::int64_t images_at_once =
        std::max<std::int64_t>(1, ((std::int64_t{1} << 31) - 1) / plan_.tiles_per_image());
    for (std::int64_t first = 0; first < pass.images; first += images_at_once) {
      TensorCoreTask task = make_task(pass, group_norm, first);
      task.tiles = std::min(images_at_once, pass.images - first) * plan_.tiles_per_image();
      if (one_pass_) {
        task.arrival = tensor_core_arrival;
        task.publishes = task.normalizes = true;
        launch(exec, task, "fusedconv::tensor_core_block");
      } else {
        launch_statistics(exec, task);
        launch_output(exec, task);
      }
    }
  }

  static std::int64_t row_statistics_words(const Shape& shape) {
    return shape.num_groups * tensor_core_row_statistics_words;
  }

  /// Adds the sums of a block of rows to words that callers add up.
  void add_statistics(const ExecutionSpace& exec, const FirstPass<ExecutionSpace>& pass,
                      const GroupNorm<ExecutionSpace>& group_norm,
                      const StatisticsWords<ExecutionSpace>& words) const {
    clear_statistics(exec);
    TensorCoreTask task = make_task(pass, group_norm, 0);
    task.tiles = tiles_of(pass.block);
    launch_statistics(exec, task);
    const Statistics statistics = statistics_;
    Kokkos::parallel_for("fusedconv::add_statistics",
                         Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(
                             exec, 0, group_norm.groups()),
                         AddTensorCoreStatistics{statistics.data(), words.data()});
  }

  /// The output of a block of rows, from the sums of all rows.
  void compute_with_statistics(const ExecutionSpace& exec, const FirstPass<ExecutionSpace>& pass,
                               const GroupNorm<ExecutionSpace>& group_norm,
                               const ConstStatisticsWords<ExecutionSpace>& words) const {
    const Statistics statistics = statistics_;
    Kokkos::parallel_for("fusedconv::take_statistics",
                         Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(
                             exec, 0, group_norm.groups()),
                         TakeTensorCoreStatistics{words.data(), statistics.data()});
    TensorCoreTask task = make_task(pass, group_norm, 0);
    task.tiles = tiles_of(pass.block);
    launch_output(exec, task);
  }

 private:
  /// A patch that leaves a multiprocessor one block is still worth it.
  static std::int64_t shared_limit() {
    return static_cast<std::int64_t>(Kokkos::Cuda().cuda_device_prop().sharedMemPerBlockOptin);
  }

  /// Three digits of it, in words.
  static std::string microseconds(double nanoseconds) {
    std::ostringstream text;
    text << std::setprecision(3) << nanoseconds / 1000;
    return text.str();
  }

  using Statistics =
      Kokkos::View<unsigned long long*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  using Counter = Kokkos::View<unsigned*, Kokkos::LayoutRight, ExecutionSpace::memory_space>;

  /// Lets a kernel have its shared memory. Returns how many of its blocks the device runs at once.
  std::int64_t resident_blocks(const ExecutionSpace& exec, const void* kernel,
                               std::int64_t shared_bytes) const {
    require_success(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(shared_bytes)),
                    "shared memory of the tensor cores' kernel");
    int per_multiprocessor = 0;
    require_success(cudaOccupancyMaxActiveBlocksPerMultiprocessor(
                        &per_multiprocessor, kernel, static_cast<int>(plan_.block_threads()),
                        static_cast<std::size_t>(shared_bytes)),
                    "occupancy of the tensor cores' kernel");
    return std::int64_t{per_multiprocessor} * exec.cuda_device_prop().multiProcessorCount;
  }

  void clear_statistics(const ExecutionSpace& exec) const {
    require_success(cudaMemsetAsync(statistics_.data(), 0,
                                    statistics_.size() * sizeof(std::uint64_t), exec.cuda_stream()),
                    "clearing of the statistics");
  }

  std::int64_t tiles_of(const RowBlock& block) const {
    return block.tiles.size() * plan_.geometry.groups * plan_.channel_tiles_per_group();
  }

  TensorCoreTask make_task(const FirstPass<ExecutionSpace>& pass,
                           const GroupNorm<ExecutionSpace>& group_norm,
                           std::int64_t first_image) const {
    const auto narrow = [](std::int64_t value) { return static_cast<int>(value); };
    const Geometry& image = plan_.geometry;
    const Geometry& g = pass.block.geometry;
    TensorCoreTask task{};
    task.input_plane = g.height * g.width;
    // Copies that read nothing want an address all the same.
    task.x = task.input_plane == 0 ? packed_.weight.data()
                                   : pass.x + first_image * g.in_channels * task.input_plane;
    task.x_end = pass.x + pass.images * g.in_channels * task.input_plane;
    task.y = pass.y + first_image * g.out_channels * g.output_height * g.output_width;
    task.weights = reinterpret_cast<const uint4*>(packed_.fragments.data());
    task.float_weights = packed_.weight.data();
    task.channel_constants = reinterpret_cast<const float4*>(packed_.constants.data());
    task.all_in_float = packed_.all_in_float.data();
    task.group_norm_weight = group_norm.weight.data();
    task.group_norm_bias = group_norm.bias.data();
    task.tiles_taken = tiles_taken_.data();
    task.statistics =
        statistics_.data() + first_image * group_norm.groups() * tensor_core_statistics_words;
    task.inverse_elements = 1 / (static_cast<double>(group_norm.channels_per_group() *
                                                     image.output_height * image.output_width) *
                                 tensor_core_fixed_point);
    task.eps = group_norm.eps;
    // What a patch has beside what its tile needs decides its scale too, so that it must be the
    // same wherever x lies and whatever block the tile is in.
    task.begins_with_words = plan_.begins_with_words();
    const bool has_long_lines = plan_.patch_pitch / 4 > plan_.threads();
    task.lines = !is_aligned(task.x, 16) || has_long_lines ? TensorCoreLines::floats
                 : !task.begins_with_words                 ? TensorCoreLines::shifted_words
                 : g.width % 4 == 0                        ? TensorCoreLines::words
                                                           : TensorCoreLines::floats;
    task.store_floats = 1;
    for (const int floats : {4, 2}) {
      if (g.output_width % floats == 0 && plan_.tiles.tile_width % floats == 0 &&
          is_aligned(pass.y, floats * sizeof(float))) {
        task.store_floats = floats;
        break;
      }
    }
    task.groups = narrow(g.groups);
    task.group_in_channels = narrow(g.group_in_channels);
    task.group_out_channels = narrow(g.group_out_channels);
    task.out_channels = narrow(g.out_channels);
    const std::int64_t needed = (g.output_height - 1) * g.stride_height - g.padding_height +
                                (g.kernel_height - 1) * g.dilation_height + 1;
    task.height = narrow(std::clamp<std::int64_t>(needed, 0, g.height));
    task.width = narrow(g.width);
    task.output_height = narrow(g.output_height);
    task.output_width = narrow(g.output_width);
    task.kernel_height = narrow(g.kernel_height);
    task.kernel_width = narrow(g.kernel_width);
    task.stride_height = narrow(g.stride_height);
    task.stride_width = narrow(g.stride_width);
    task.padding_height = narrow(g.padding_height);
    task.padding_width = narrow(g.padding_width);
    task.dilation_height = narrow(g.dilation_height);
    task.dilation_width = narrow(g.dilation_width);
    task.norm_groups = narrow(group_norm.groups());
    task.channels_per_norm_group = narrow(group_norm.channels_per_group());
    task.image_output_height = narrow(image.output_height);
    task.first_output_row =
        narrow(pass.block.first_tile / plan_.tiles.tiles_across() * plan_.tiles.tile_height);
    task.tile_height = narrow(plan_.tiles.tile_height);
    task.tile_width = narrow(plan_.tiles.tile_width);
    task.tiles_down = narrow(pass.block.tiles.tiles_down());
    task.tiles_across = narrow(pass.block.tiles.tiles_across());
    task.channel_tiles_per_group = narrow(plan_.channel_tiles_per_group());
    task.channel_tiles = narrow(g.groups * plan_.channel_tiles_per_group());
    task.chunk_channels = narrow(plan_.chunk_channels);
    task.chunks = narrow(plan_.chunks());
    task.pairs = narrow(plan_.pairs());
    task.pairs_of_group = narrow(plan_.chunks() * plan_.pairs());
    task.patch_height = narrow(plan_.patch_height);
    task.patch_pitch = narrow(plan_.patch_pitch);
    task.patch_plane = narrow(plan_.patch_plane());
    task.patch_bytes = narrow(plan_.patch_bytes());
    // The same for all tiles, whose first columns are multiples of a word's.
    task.first_place = task.begins_with_words ? (4 - task.padding_width % 4) % 4 : 0;
    if (plan_.warpgroups > 0 && !plan_.unrolled) add_places(task);
    task.patch_width = narrow(plan_.patch_width);
    task.words_per_line = task.patch_pitch / (task.lines == TensorCoreLines::floats ? 1 : 4);
    const bool shifts = task.lines == TensorCoreLines::shifted_words;
    task.shift_of_row = shifts ? narrow(g.width % 4) : 0;
    task.shift_of_plane = shifts ? narrow(task.input_plane % 4) : 0;
    task.lines_at_once = std::max(1, narrow(plan_.threads()) / task.words_per_line);
    task.step_channels = task.lines_at_once / task.patch_height;
    task.step_rows = task.lines_at_once % task.patch_height;
    task.load_steps =
        (task.chunk_channels * task.patch_height + task.lines_at_once - 1) / task.lines_at_once;
    task.step_target = task.lines_at_once * task.patch_pitch * 4;
    task.step_floats = task.step_channels * task.input_plane + task.step_rows * g.width;
    task.step_floats_wrapping = task.step_floats + task.input_plane - task.patch_height * g.width;
    task.by_tile_width = FastDivision(task.tile_width);
    task.by_words_per_line = FastDivision(task.words_per_line);
    task.by_patch_height = FastDivision(task.patch_height);
    task.by_patch_pitch = FastDivision(task.patch_pitch);
    task.by_patch_plane = FastDivision(task.patch_plane);
    task.by_channels_per_norm_group = FastDivision(task.channels_per_norm_group);
    task.by_channel_tiles = FastDivision(task.channel_tiles);
    task.by_channel_tiles_per_group = FastDivision(task.channel_tiles_per_group);
    task.by_tiles_down = FastDivision(task.tiles_down);
    task.by_tiles_across = FastDivision(task.tiles_across);
    return task;
  }

  /// What the kernel of warpgroups is told of the patch: all of it the same for all tiles, whose
  /// first columns are multiples of a word's.
  void add_places(TensorCoreTask& task) const {
    const std::int64_t entries = plan_.chunk_channels / 8 * plan_.taps();
    const std::int64_t parts = plan_.precision == Precision::fp32 ? 2 : 1;
    const auto place = [&](std::int64_t entry) {
      entry = std::min(entry, entries - 1);
      const std::int64_t row = entry % plan_.taps() / task.kernel_width;
      const std::int64_t column = entry % task.kernel_width;
      return entry / plan_.taps() * parts * task.patch_plane +
             row * task.dilation_height * task.patch_pitch + column * task.dilation_width;
    };
    for (std::int64_t pair = 0; pair < plan_.pairs(); ++pair) {
      const std::int64_t first = place(2 * pair);
      task.pair_places[pair] =
          static_cast<unsigned>(task.first_place + first + ((place(2 * pair + 1) - first) << 16));
    }
    task.strip_step = task.tile_width > tensor_core_warpgroup_strip
                          ? tensor_core_warpgroup_strip
                          : task.stride_height * task.patch_pitch;
  }

  static bool is_aligned(const void* pointer, std::size_t bytes) {
    return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
  }

  void launch_statistics(const ExecutionSpace& exec, TensorCoreTask task) const {
    task.publishes = true;
    launch(exec, task, "fusedconv::tensor_core_statistics");
  }

  void launch_output(const ExecutionSpace& exec, TensorCoreTask task) const {
    task.normalizes = true;
    launch(exec, task, "fusedconv::tensor_core_block");
  }

  void launch(const ExecutionSpace& exec, TensorCoreTask task, const char* label) const {
    if (plan_.unrolled_by_warpgroup()) {
      require_success(cudaMemsetAsync(tiles_taken_.data(), 0, sizeof(unsigned), exec.cuda_stream()),
                      "clearing of the count of tiles");
    }
#ifdef FUSEDCONV_HAVE_WGMMA
    if (plan_.in_passes) return launch_pass(exec, task, label);
#endif
    launch(exec, label, std::min<std::int64_t>(task.tiles, resident_blocks_), plan_.shared_bytes(),
           kernel_, task);
  }

#ifdef FUSEDCONV_HAVE_WGMMA
  void launch_pass(const ExecutionSpace& exec, TensorCoreTask task, const char* label) const {
    const Pass& pass = passes_[task.normalizes ? 1 : 0];
    const std::int64_t planes = task.tiles / task.tiles_across / task.tiles_down;
    // Short strips keep all blocks busy with small images.
    const std::int64_t tiles = std::clamp<std::int64_t>(task.tiles / (8 * pass.resident_blocks), 1,
                                                        Plan::max_strip_tiles(task.normalizes));
    const std::int64_t strips_down = (task.tiles_down + tiles - 1) / tiles;
    task.strip_rows = static_cast<int>(tiles) * task.tile_height;
    // What is written ends with a sector, which may be in the columns that follow.
    const bool shifts = task.normalizes && task.output_width % tensor_core_sector != 0;
    task.strip_columns = task.tile_width - (shifts ? tensor_core_sector : 0);
    const std::int64_t strips_across =
        (task.output_width + task.strip_columns - 1) / task.strip_columns;
    task.by_strips_down = FastDivision(static_cast<int>(strips_down));
    task.by_strips_across = FastDivision(static_cast<int>(strips_across));
    task.strips = planes * strips_across * strips_down;
    CUtensorMap input{};
    task.copies_in_bulk = task.lines == TensorCoreLines::words && task.input_plane > 0;
    if (task.copies_in_bulk) {
      const std::int64_t images = planes / task.channel_tiles;
      require_success(map_tensor_core_pass_input(task, static_cast<int>(images), input),
                      "tensor map of the input");
    }
    launch(exec, label, std::min(task.strips, pass.resident_blocks), pass.kernel.shared_bytes,
           pass.kernel.function, task, input);
  }
#endif

  /// A cooperative launch where blocks wait for each other: all of them run, or none.
  template <class Kernel, class... Arguments>
  void launch(const ExecutionSpace& exec, const char* label, std::int64_t blocks,
              std::int64_t shared_bytes, Kernel kernel, const TensorCoreTask& task,
              const Arguments&... arguments) const {
    cudaLaunchAttribute cooperative;
    cooperative.id = cudaLaunchAttributeCooperative;
    cooperative.val.cooperative = task.publishes && task.normalizes ? 1 : 0;
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = dim3(static_cast<unsigned>(blocks));
    configuration.blockDim = dim3(static_cast<unsigned>(plan_.block_threads()));
    configuration.dynamicSmemBytes = static_cast<std::size_t>(shared_bytes);
    configuration.stream = exec.cuda_stream();
    configuration.attrs = &cooperative;
    configuration.numAttrs = 1;
    std::uint64_t kernel_id = 0;
    Kokkos::Tools::beginParallelFor(label, Kokkos::Tools::Experimental::device_id(exec),
                                    &kernel_id);
    require_success(cudaLaunchKernelEx(&configuration, kernel, task, arguments...), label);
    Kokkos::Tools::endParallelFor(kernel_id);
  }

  Plan plan_;
  TensorCoreKernel kernel_;
  TensorCoreWeights<ExecutionSpace> packed_;
  Statistics statistics_;
  Counter tiles_taken_;
#ifdef FUSEDCONV_HAVE_WGMMA
  struct Pass {
    TensorCorePassKernel kernel;
    std::int64_t resident_blocks = 0;
  };
  Pass passes_[2];  ///< for the statistics, and for y
#endif
  std::int64_t resident_blocks_ = 0;
  bool one_pass_ = false;
};

template <>
struct TunedConvolution<Kokkos::Cuda> {
  using type = TensorCore;
};

}  // namespace fusedconv::detail

#endif
