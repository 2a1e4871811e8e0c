// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_GEMM_HPP
#define FUSEDCONV_SRC_CONVOLUTION_GEMM_HPP

#include <KokkosBlas3_gemm.hpp>
#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "../allocate.hpp"
#include "../epilogue.hpp"
#include "../moments.hpp"
#include "../normalize.hpp"
#include "../team.hpp"
#include "first_pass.hpp"

namespace fusedconv::detail {

/// How the convolution is cut into matrix products.
///
/// Each channel group of each image is a product (output channels) x (taps) times (taps) x (output
/// pixels); as many pixels at a time as the workspace holds. The cut depends on the shape alone.
struct GemmPlan {
  explicit GemmPlan(const Shape& shape) : geometry(shape) {
    constexpr std::int64_t workspace_budget = 64 * 1024 * 1024;
    constexpr std::int64_t pixels_per_tile = 4096;
    const std::int64_t pixels = geometry.output_height * geometry.output_width;
    const std::int64_t column_bytes = taps() * static_cast<std::int64_t>(sizeof(float));
    pixels_at_once = std::clamp<std::int64_t>(workspace_budget / column_bytes, 1, pixels);
    tiles = {1, pixels, 1, std::min(pixels, pixels_per_tile)};
    // The plane is one long row to the activation, whatever its shape; its moments do not mind.
  }

  std::int64_t taps() const {
    return geometry.group_in_channels * geometry.kernel_height * geometry.kernel_width;
  }
  std::string description() const {
    return "gemm, im2col of " + std::to_string(taps()) + " taps x " +
           std::to_string(pixels_at_once) + " pixels and KokkosBlas::gemm";
  }

  Geometry geometry;
  TileGrid tiles;
  std::int64_t pixels_at_once = 1;
};

/// (tap, pixel)
template <class ExecutionSpace>
using ColumnMatrix =
    Kokkos::View<float**, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

/// Lays out the input of each output pixel as a column of taps.
template <class ExecutionSpace>
struct Im2col {
  using Team = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;

  Geometry geometry;
  const float* planes;  ///< first input channel of the image's channel group
  ColumnMatrix<ExecutionSpace> columns;
  std::int64_t first_pixel;
  std::int64_t pixels;

  KOKKOS_FUNCTION void operator()(const Team& team, const std::int64_t tap) const {
    const Geometry& g = geometry;
    const std::int64_t kw = tap % g.kernel_width;
    const std::int64_t kh = tap / g.kernel_width % g.kernel_height;
    const std::int64_t ci = tap / g.kernel_width / g.kernel_height;
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, pixels), [&](const std::int64_t i) {
      const std::int64_t pixel = first_pixel + i;
      const std::int64_t row =
          pixel / g.output_width * g.stride_height - g.padding_height + kh * g.dilation_height;
      const std::int64_t column =
          pixel % g.output_width * g.stride_width - g.padding_width + kw * g.dilation_width;
      columns(tap, i) = row >= 0 && row < g.height && column >= 0 && column < g.width
                            ? planes[(ci * g.height + row) * g.width + column]
                            : 0.0f;
    });
  }
};

/// Epilogue of the product, in place, and the partial moments of each tile; a team for each.
template <class ExecutionSpace, Activation activation>
struct Activate {
  using Team = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;

  TileGrid tiles;
  std::int64_t channels;
  Epilogue<ExecutionSpace> epilogue;
  float* y;
  PartialMomentsView<ExecutionSpace> partial;

  KOKKOS_FUNCTION void operator()(const Team& team, const std::int64_t item) const {
    const std::int64_t tile = item % tiles.size();
    const std::int64_t plane = item / tiles.size();
    const std::int64_t channel = plane % channels;
    const float bias = epilogue.bias(channel);
    const ScaledActivation<activation> scaled(epilogue.scale(channel));
    float* const s = y + plane * tiles.width + tiles.first_column(tile);
    const std::int64_t length = tiles.columns(tile);

    const float pivot = scaled(s[0] + bias);
    team.team_barrier();
    double shifted_sum = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, length),
        [&](const std::int64_t i, double& sum) {
          s[i] = scaled(s[i] + bias);
          sum += s[i] - pivot;
        },
        shifted_sum);
    team.team_barrier();
    const double mean = pivot + shifted_sum / static_cast<double>(length);
    double m2 = 0;
    Kokkos::parallel_reduce(
        Kokkos::TeamThreadRange(team, length),
        [&](const std::int64_t i, double& sum) {
          const double deviation = s[i] - mean;
          sum += deviation * deviation;
        },
        m2);
    Kokkos::single(Kokkos::PerTeam(team), [&]() {
      partial(plane / channels, channel, tile) = {mean, m2};
    });
  }
};

/// The block by matrix products.
template <class ExecutionSpace>
class Gemm {
 public:
  using Plan = GemmPlan;

  using Weight =
      Kokkos::View<const float****, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  static std::int64_t workspace_bytes(const GemmPlan& plan) {
    const Geometry& g = plan.geometry;
    return (plan.taps() * plan.pixels_at_once + g.out_channels * plan.taps()) *
           static_cast<std::int64_t>(sizeof(float));
  }

  Gemm(const ExecutionSpace& exec, const GemmPlan& plan, const Weight& weight)
      : plan_(plan),
        weight_(allocate<Matrix>(exec, "conv.weight", plan.geometry.out_channels, plan.taps())),
        columns_(allocate<Matrix>(exec, "im2col workspace", plan.taps(), plan.pixels_at_once)) {
    Kokkos::deep_copy(exec, weight_,
                      ConstMatrix(weight.data(), plan.geometry.out_channels, plan.taps()));
  }

  void operator()(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                  const FirstPass<ExecutionSpace>& pass,
                  const GroupNorm<ExecutionSpace>& group_norm) const {
    activate(exec, epilogue, pass, group_norm);
    group_norm.merge_and_normalize(exec, pass.images, pass.y, plan_.tiles);
  }

  /// Activations and partial moments alone, of whole images.
  void activate(const ExecutionSpace& exec, const Epilogue<ExecutionSpace>& epilogue,
                const FirstPass<ExecutionSpace>& pass, const GroupNorm<ExecutionSpace>&) const {
    const Geometry& g = plan_.geometry;
    const std::int64_t pixels = g.output_height * g.output_width;
    for (std::int64_t image = 0; image < pass.images; ++image) {
      for (std::int64_t group = 0; group < g.groups; ++group) {
        const std::int64_t first_channel = group * g.group_out_channels;
        const ConstMatrix weight(weight_.data() + first_channel * plan_.taps(),
                                 g.group_out_channels, plan_.taps());
        const UnmanagedMatrix product(pass.y + (image * g.out_channels + first_channel) * pixels,
                                      g.group_out_channels, pixels);
        const float* const planes =
            pass.x + (image * g.in_channels + group * g.group_in_channels) * g.height * g.width;
        for (std::int64_t first = 0; first < pixels; first += plan_.pixels_at_once) {
          const std::int64_t count = std::min(plan_.pixels_at_once, pixels - first);
          for_each_team("fusedconv::im2col", exec, plan_.taps(),
                        Im2col<ExecutionSpace>{g, planes, columns_, first, count});
          KokkosBlas::gemm(
              exec, "N", "N", 1.0f, weight,
              Kokkos::subview(columns_, Kokkos::ALL, std::make_pair(std::int64_t{0}, count)), 0.0f,
              Kokkos::subview(product, Kokkos::ALL, std::make_pair(first, first + count)));
        }
      }
    }
    with_activation(epilogue.activation, [&](auto known) {
      for_each_team("fusedconv::activate", exec, pass.images * g.out_channels * plan_.tiles.size(),
                    Activate<ExecutionSpace, decltype(known)::value>{
                        plan_.tiles, g.out_channels, epilogue, pass.y, pass.partial});
    });
  }

 private:
  using Device = Kokkos::Device<ExecutionSpace, typename ExecutionSpace::memory_space>;
  using Unmanaged = Kokkos::MemoryTraits<Kokkos::Unmanaged>;
  using Matrix = ColumnMatrix<ExecutionSpace>;
  using ConstMatrix = Kokkos::View<const float**, Kokkos::LayoutRight, Device, Unmanaged>;
  using UnmanagedMatrix = Kokkos::View<float**, Kokkos::LayoutRight, Device, Unmanaged>;

  GemmPlan plan_;
  Matrix weight_;
  Matrix columns_;
};

}  // namespace fusedconv::detail

#endif
