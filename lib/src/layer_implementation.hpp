// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_LAYER_IMPLEMENTATION_HPP
#define FUSEDCONV_SRC_LAYER_IMPLEMENTATION_HPP

#include "allocate.hpp"
#include "channel_parameters.hpp"
#include "convolution/direct.hpp"
#include "convolution/tuned.hpp"
#include "float32_workspace.hpp"
#include "moments.hpp"
#include "normalize.hpp"
#include "row_statistics.hpp"
#include "strides.hpp"
#include "view_layout.hpp"
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
#include "convolution/gemm.hpp"
#endif

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <array>
#include <cstdint>
#include <fusedconv/error.hpp>
#include <fusedconv/layer.hpp>
#include <fusedconv/row_range.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace fusedconv {
namespace detail {

// The convolutions there are for an execution space, each with its plan.
template <class... Types>
struct ConvolutionList {
  using Convolution = std::variant<Types...>;
  using Plan = std::variant<typename Types::Plan...>;
  template <class Type>
  using With =
      std::conditional_t<std::is_void_v<Type>, ConvolutionList, ConvolutionList<Types..., Type>>;
};

template <class ExecutionSpace>
using Tuned = typename TunedConvolution<ExecutionSpace>::type;

template <class ExecutionSpace>
inline constexpr bool has_tuned = !std::is_void_v<Tuned<ExecutionSpace>>;

template <class ExecutionSpace>
using Convolutions =
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
    typename ConvolutionList<Direct<ExecutionSpace>,
                             Gemm<ExecutionSpace>>::template With<Tuned<ExecutionSpace>>;
#else
    typename ConvolutionList<Direct<ExecutionSpace>>::template With<Tuned<ExecutionSpace>>;
#endif

template <class ExecutionSpace>
using ConvolutionPlan = typename Convolutions<ExecutionSpace>::Plan;
template <class ExecutionSpace>
using Convolution = typename Convolutions<ExecutionSpace>::Convolution;

template <class ExecutionSpace>
ConvolutionPlan<ExecutionSpace> plan_convolution(const Shape& shape, const Options& options) {
  const bool is_automatic = options.algorithm == Algorithm::automatic;
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
  if (options.algorithm == Algorithm::gemm) return GemmPlan(shape);
#else
  if (options.algorithm == Algorithm::gemm) {
    throw InvalidArgument("algorithm", "auto or direct, since this build has no Kokkos Kernels",
                          "gemm");
  }
#endif
  if constexpr (has_tuned<ExecutionSpace>) {
    using TunedType = Tuned<ExecutionSpace>;
    const bool is_for_activation = shape.activation == Activation::sigmoid;
    if (options.algorithm == TunedType::Plan::algorithm && !is_for_activation) {
      throw InvalidArgument("algorithm",
                            "one for the activation " + std::string(to_string(shape.activation)),
                            std::string(to_string(options.algorithm)) + ", which is for sigmoid");
    }
    if (options.algorithm == TunedType::Plan::algorithm ||
        (is_automatic && is_for_activation && TunedType::choice(shape, options.precision).pays)) {
      TunedType::require_applicable(shape, options.precision);
      return TunedType::make_plan(shape, options.precision);
    }
  } else if (options.algorithm == Algorithm::tensor_core) {
    throw InvalidArgument("algorithm", "one that runs on " + std::string(ExecutionSpace::name()),
                          "tensor_core");
  }
  if constexpr (runs_on_host<ExecutionSpace>) {
    if (options.algorithm == Algorithm::winograd && !winograd_applies(shape)) {
      throw InvalidArgument("algorithm",
                            "auto, direct or gemm for a kernel that has not 3 rows, or "
                            "has a vertical stride or dilation",
                            "winograd");
    }
    const bool winograd =
        options.algorithm == Algorithm::winograd || (is_automatic && winograd_pays(shape));
    return DirectHostPlan(shape, winograd ? Algorithm::winograd : Algorithm::direct);
  } else {
    if (options.algorithm == Algorithm::winograd) {
      throw InvalidArgument("algorithm", "one that runs on a device", "winograd");
    }
    return DirectDevicePlan(shape);
  }
}

template <class ExecutionSpace>
Convolution<ExecutionSpace> make_convolution(const ExecutionSpace& exec,
                                             const ConvolutionPlan<ExecutionSpace>& plan,
                                             const typename Direct<ExecutionSpace>::Weight& weight,
                                             const Epilogue<ExecutionSpace>& epilogue,
                                             const Shape& shape) {
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
  if (const auto* const gemm = std::get_if<GemmPlan>(&plan)) {
    return Gemm<ExecutionSpace>(exec, *gemm, weight);
  }
#endif
  if constexpr (has_tuned<ExecutionSpace>) {
    using TunedType = Tuned<ExecutionSpace>;
    if (const auto* const tuned = std::get_if<typename TunedType::Plan>(&plan)) {
      return TunedType(exec, *tuned, weight, epilogue, shape);
    }
  }
  return Direct<ExecutionSpace>(exec, std::get<DirectPlan<ExecutionSpace>>(plan), weight,
                                shape.batch);
}

/// All rows of an image as a plan cuts them.
template <class ExecutionSpace>
RowBlock whole_image(const ConvolutionPlan<ExecutionSpace>& plan) {
  return std::visit([](const auto& p) { return RowBlock{p.geometry, p.tiles}; }, plan);
}

/// Whether a convolution keeps statistics of its own instead of the partial moments of tiles.
template <class ExecutionSpace, class Type>
inline constexpr bool has_own_statistics = std::is_same_v<Type, Tuned<ExecutionSpace>>;

/// The tiles of an image whose partial moments are kept.
template <class ExecutionSpace>
std::int64_t partial_moments_of(const ConvolutionPlan<ExecutionSpace>& plan) {
  if constexpr (has_tuned<ExecutionSpace>) {
    if (std::holds_alternative<typename Tuned<ExecutionSpace>::Plan>(plan)) return 0;
  }
  return whole_image<ExecutionSpace>(plan).tiles.size();
}

/// Why plan_convolution chose what it did, as the end of a sentence; empty where it had no choice.
template <class ExecutionSpace>
std::string reason(const Shape& shape, const Options& options) {
  if (options.algorithm != Algorithm::automatic) return {};
  if constexpr (has_tuned<ExecutionSpace>) {
    if (shape.activation != Activation::sigmoid) {
      return "the tensor cores' statistics are of values between 0 and 1, which those of " +
             std::string(to_string(shape.activation)) + " need not be";
    }
    return Tuned<ExecutionSpace>::choice(shape, options.precision).reason;
  }
  if constexpr (runs_on_host<ExecutionSpace>) {
    if (winograd_pays(shape)) return "it takes a third fewer multiplications";
    return winograd_applies(shape) ? "there are too few channels or rows for Winograd's algorithm"
                                   : "Winograd's algorithm is not for this kernel";
  }
  return {};
}

/// The public view of a plan.
template <class ExecutionSpace>
Plan describe(const Shape& shape, const Options& options,
              const ConvolutionPlan<ExecutionSpace>& plan) {
  Plan result;
  std::int64_t convolution_bytes = 0;
  std::visit(
      [&](const auto& p) {
        using PlanType = std::decay_t<decltype(p)>;
        result.description = p.description();
        result.row_alignment = row_alignment(p.geometry, p.tiles);
        result.row_statistics_words = shape.out_channels *
                                      partial_moments_of<ExecutionSpace>(plan) *
                                      words_per_partial_moments;
        if constexpr (std::is_same_v<PlanType, DirectPlan<ExecutionSpace>>) {
          result.algorithm = p.algorithm;
          convolution_bytes = Direct<ExecutionSpace>::workspace_bytes(p, shape.batch);
        }
        if constexpr (has_tuned<ExecutionSpace>) {
          if constexpr (std::is_same_v<PlanType, typename Tuned<ExecutionSpace>::Plan>) {
            result.algorithm = p.algorithm;
            convolution_bytes = Tuned<ExecutionSpace>::workspace_bytes(p, shape);
            result.row_statistics_words = Tuned<ExecutionSpace>::row_statistics_words(shape);
          }
        }
#ifdef FUSEDCONV_HAVE_KOKKOS_KERNELS
        if constexpr (std::is_same_v<PlanType, GemmPlan>) {
          result.algorithm = Algorithm::gemm;
          // The bits of a product depend on how the matrices are cut, and that on no row.
          result.row_alignment = result.row_statistics_words = 0;
          convolution_bytes = Gemm<ExecutionSpace>::workspace_bytes(p);
        }
#endif
      },
      plan);
  const std::string why = reason<ExecutionSpace>(shape, options);
  if (!why.empty()) result.description += "; chosen because " + why;
  const auto bytes_of = [](std::size_t size) { return static_cast<std::int64_t>(size); };
  result.workspace_bytes = convolution_bytes +
                           shape.batch * shape.out_channels *
                               partial_moments_of<ExecutionSpace>(plan) *
                               bytes_of(sizeof(PartialMoments)) +
                           shape.batch * shape.num_groups * bytes_of(sizeof(Statistics)) +
                           4 * shape.out_channels * bytes_of(sizeof(float));
  using Workspace = Float32Workspace<ExecutionSpace>;
  if (Workspace::is_needed(options)) {
    result.description += "; x of " + std::string(to_string(options.input_type)) + ", y of " +
                          std::string(to_string(options.output_type)) + ", by way of float32";
    result.workspace_bytes += Workspace::bytes(shape, options);
    result.row_alignment = result.row_statistics_words = 0;
  }
  return result;
}

inline std::string extents_in_words(const std::array<std::int64_t, 4>& extents) {
  return "extents " + in_parentheses(extents);
}

template <class ViewType>
void require_extents(const std::string& name, const ViewType& view,
                     const std::array<std::int64_t, 4>& expected) {
  std::array<std::int64_t, 4> found{};
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i] = static_cast<std::int64_t>(view.extent(i));
  }
  if (found != expected) {
    throw InvalidArgument(name, extents_in_words(expected), extents_in_words(found));
  }
}

template <class MemorySpace>
void require_matching(const Shape& shape, const Parameters<MemorySpace>& parameters) {
  require_extents("conv.weight", parameters.conv_weight,
                  {shape.out_channels, shape.in_channels_per_group(), shape.kernel_size[0],
                   shape.kernel_size[1]});
  const auto require_channels = [&shape](const char* name, const auto& vector) {
    if (vector.data() != nullptr &&
        static_cast<std::int64_t>(vector.extent(0)) != shape.out_channels) {
      throw InvalidArgument(name, "extents (" + std::to_string(shape.out_channels) + ")",
                            "extents (" + std::to_string(vector.extent(0)) + ")");
    }
  };
  require_channels("conv.bias", parameters.conv_bias);
  require_channels("bias", parameters.bias);
  require_channels("scale", parameters.scale);
  require_channels("group_norm.weight", parameters.group_norm_weight);
  require_channels("group_norm.bias", parameters.group_norm_bias);
}

}  // namespace detail

template <class ExecutionSpace>
class Layer<ExecutionSpace>::Implementation {
 public:
  Implementation(const ExecutionSpace& exec, const Shape& shape, const Options& options,
                 const detail::ConvolutionPlan<ExecutionSpace>& convolution_plan,
                 const Parameters<memory_space>& parameters)
      : shape_(shape),
        options_(options),
        plan_(detail::describe<ExecutionSpace>(shape, options, convolution_plan)),
        whole_(detail::whole_image<ExecutionSpace>(convolution_plan)),
        channels_(detail::pack_channel_parameters(exec, parameters, shape.out_channels)),
        convolution_(detail::make_convolution(exec, convolution_plan, parameters.conv_weight,
                                              epilogue(), shape)),
        partial_(detail::allocate<detail::PartialMomentsView<ExecutionSpace>>(
            exec, "partial moments", shape.batch, shape.out_channels,
            detail::partial_moments_of<ExecutionSpace>(convolution_plan))),
        statistics_(detail::allocate<detail::StatisticsView<ExecutionSpace>>(
            exec, "statistics", shape.batch, shape.num_groups)),
        workspace_(exec, shape, options) {
    detail::reserve_team_scratch(exec, sizeof(double));
    exec.fence("fusedconv::Layer: the caller's parameters are free again");
  }

  void run(const ExecutionSpace& exec, const Images<const void>& x, const Images<void>& y) const {
    require_elements("x", "input_type", options_.input_type, x.type);
    require_elements("y", "output_type", options_.output_type, y.type);
    const std::int64_t images = static_cast<std::int64_t>(x.extent(0));
    if (images < 1 || images > shape_.batch) {
      throw InvalidArgument("x", "1 to " + std::to_string(shape_.batch) + " images",
                            std::to_string(images));
    }
    detail::require_extents("x", x, {images, shape_.in_channels, shape_.height, shape_.width});
    detail::require_extents(
        "y", y, {images, shape_.out_channels, shape_.output_height(), shape_.output_width()});
    if (!detail::Float32Workspace<ExecutionSpace>::is_needed(options_)) {
      run_float32(exec, static_cast<const float*>(x.data), static_cast<float*>(y.data), images);
      return;
    }
    workspace_.for_each_part(exec, x.data, y.data, images,
                             [&](const float* from, float* to, std::int64_t count) {
                               run_float32(exec, from, to, count);
                             });
  }

  void activate_rows(const ExecutionSpace& exec, const RowRange& rows, const Input& x,
                     const Output& y, const RowStatistics& words) const {
    const detail::FirstPass<ExecutionSpace> pass = pass_of(rows, x, y);
    const bool is_counted = words.size() != 0;
    if (is_counted) require_words(words.size());
    std::visit(
        [&](const auto& convolution) {
          using Type = std::decay_t<decltype(convolution)>;
          if constexpr (detail::has_own_statistics<ExecutionSpace, Type>) {
            if (is_counted) convolution.add_statistics(exec, pass, group_norm(), words);
          } else {
            convolution.activate(exec, epilogue(), pass, group_norm());
            if (is_counted) {
              detail::add_to_statistics(exec, partial_, pass.block.first_tile,
                                        pass.block.tiles.size(), words);
            }
          }
        },
        convolution_);
  }

  void normalize_rows(const ExecutionSpace& exec, const RowRange& rows, const Input& x,
                      const Output& y, const ConstRowStatistics& words) const {
    const detail::FirstPass<ExecutionSpace> pass = pass_of(rows, x, y);
    require_words(words.size());
    std::visit(
        [&](const auto& convolution) {
          using Type = std::decay_t<decltype(convolution)>;
          if constexpr (detail::has_own_statistics<ExecutionSpace, Type>) {
            convolution.compute_with_statistics(exec, pass, group_norm(), words);
          } else {
            detail::GroupNorm<ExecutionSpace> of_image = group_norm();
            of_image.partial =
                detail::moments_in<ExecutionSpace>(words, shape_.out_channels, whole_.tiles.size());
            of_image.merge_and_normalize(exec, 1, pass.y, pass.block.tiles);
          }
        },
        convolution_);
  }

  const Shape& shape() const { return shape_; }
  const Plan& plan() const { return plan_; }

 private:
  void run_float32(const ExecutionSpace& exec, const float* x, float* y,
                   std::int64_t images) const {
    const detail::FirstPass<ExecutionSpace> pass{x, y, images, whole_, partial_};
    std::visit([&](const auto& convolution) { convolution(exec, epilogue(), pass, group_norm()); },
               convolution_);
  }

  static void require_elements(const char* name, const char* option, ElementType expected,
                               ElementType found) {
    if (found != expected) {
      throw InvalidArgument(name,
                            std::string(to_string(expected)) + ", as Options::" + option + " says",
                            std::string(to_string(found)));
    }
  }

  detail::Epilogue<ExecutionSpace> epilogue() const {
    return {channels_.bias, channels_.scale, shape_.activation};
  }

  detail::GroupNorm<ExecutionSpace> group_norm() const {
    return {
        whole_.tiles, partial_, statistics_, channels_.group_norm_weight, channels_.group_norm_bias,
        shape_.eps};
  }

  /// Checks a block of rows of one image.
  detail::FirstPass<ExecutionSpace> pass_of(const RowRange& rows, const Input& x,
                                            const Output& y) const {
    if (detail::Float32Workspace<ExecutionSpace>::is_needed(options_)) {
      throw InvalidArgument("blocks of rows",
                            "a layer whose input_type and output_type are float32",
                            std::string(to_string(options_.input_type)) + " and " +
                                std::string(to_string(options_.output_type)));
    }
    const std::int64_t alignment = plan_.row_alignment;
    if (alignment == 0) {
      throw InvalidArgument("algorithm", "one that computes an image in blocks of rows",
                            std::string(to_string(plan_.algorithm)));
    }
    const RowRange input = input_rows(shape_, rows);
    const std::int64_t height = shape_.output_height();
    if (rows.first % alignment != 0 || (rows.end() % alignment != 0 && rows.end() != height)) {
      throw InvalidArgument(
          "rows",
          "rows that begin at a multiple of " + std::to_string(alignment) +
              " and end at one or at the last of " + std::to_string(height),
          std::to_string(rows.count) + " rows from row " + std::to_string(rows.first) + " on");
    }
    detail::require_extents("x_rows", x, {1, shape_.in_channels, input.count, shape_.width});
    detail::require_extents("y_rows", y,
                            {1, shape_.out_channels, rows.count, shape_.output_width()});
    return {x.data(), y.data(), 1, detail::row_block(whole_, rows, input), partial_};
  }

  void require_words(std::size_t words) const {
    if (static_cast<std::int64_t>(words) != plan_.row_statistics_words) {
      throw InvalidArgument("statistics", std::to_string(plan_.row_statistics_words) + " words",
                            std::to_string(words) + " words");
    }
  }

  Shape shape_;
  Options options_;
  Plan plan_;
  detail::RowBlock whole_;
  detail::ChannelParameters<ExecutionSpace> channels_;
  detail::Convolution<ExecutionSpace> convolution_;
  detail::PartialMomentsView<ExecutionSpace> partial_;
  detail::StatisticsView<ExecutionSpace> statistics_;
  detail::Float32Workspace<ExecutionSpace> workspace_;
};

template <class ExecutionSpace>
Layer<ExecutionSpace>::Layer(const ExecutionSpace& exec, const Shape& shape,
                             const Parameters<memory_space>& parameters, const Options& options) {
  const Kokkos::Profiling::ScopedRegion region("fusedconv::Layer::Layer");
  shape.validate();
  detail::require_matching(shape, parameters);
  detail::require_same_view_layout(exec);
  implementation_ = std::make_shared<const Implementation>(
      exec, shape, options, detail::plan_convolution<ExecutionSpace>(shape, options), parameters);
}

template <class ExecutionSpace>
Plan Layer<ExecutionSpace>::plan(const Shape& shape, const Options& options) {
  shape.validate();
  return detail::describe<ExecutionSpace>(shape, options,
                                          detail::plan_convolution<ExecutionSpace>(shape, options));
}

template <class ExecutionSpace>
const Shape& Layer<ExecutionSpace>::shape() const {
  return implementation_->shape();
}

template <class ExecutionSpace>
const Plan& Layer<ExecutionSpace>::plan() const {
  return implementation_->plan();
}

template <class ExecutionSpace>
void Layer<ExecutionSpace>::require_no_gaps(const char* name,
                                            const std::array<std::size_t, 4>& extents,
                                            const std::array<std::size_t, 4>& strides) {
  detail::require_strides_of_layout_right(name, extents, strides);
}

template <class ExecutionSpace>
void Layer<ExecutionSpace>::run(const ExecutionSpace& exec, const Images<const void>& x,
                                const Images<void>& y) const {
  const Kokkos::Profiling::ScopedRegion region("fusedconv::Layer::run");
  implementation_->run(exec, x, y);
}

template <class ExecutionSpace>
void Layer<ExecutionSpace>::activate_block(const ExecutionSpace& exec, const RowRange& rows,
                                           const Input& x_rows, const Output& y_rows,
                                           const RowStatistics& statistics) const {
  const Kokkos::Profiling::ScopedRegion region("fusedconv::Layer::activate_rows");
  implementation_->activate_rows(exec, rows, x_rows, y_rows, statistics);
}

template <class ExecutionSpace>
void Layer<ExecutionSpace>::normalize_block(const ExecutionSpace& exec, const RowRange& rows,
                                            const Input& x_rows, const Output& y_rows,
                                            const ConstRowStatistics& statistics) const {
  const Kokkos::Profiling::ScopedRegion region("fusedconv::Layer::normalize_rows");
  implementation_->normalize_rows(exec, rows, x_rows, y_rows, statistics);
}

}  // namespace fusedconv

#endif
