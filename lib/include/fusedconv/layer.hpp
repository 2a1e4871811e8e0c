// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_LAYER_HPP
#define FUSEDCONV_LAYER_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/options.hpp>
#include <fusedconv/parameters.hpp>
#include <fusedconv/shape.hpp>
#include <memory>
#include <string>
#include <type_traits>

namespace fusedconv {

/// What a Layer does for a shape: decided by shape, options and execution space alone, never by the
/// number of images, so that results do not depend on how a batch is cut.
struct Plan {
  Algorithm algorithm = Algorithm::direct;  ///< never Algorithm::automatic
  std::string description;                  ///< algorithm and tile, and why it was chosen, in words
  std::int64_t workspace_bytes = 0;         ///< device memory that the layer holds
};

/// `y = GroupNorm(sigmoid((conv2d(x) + bias) * scale))`: planned once, run many times.
///
/// Everything is allocated by the constructor; a run allocates nothing, does not fence and is
/// asynchronous on the execution space instance it is given. A run uses the layer's workspace: runs
/// that may overlap need a layer each. On one execution space the result is the same to the last
/// bit for any number of threads, any cut of the batch and any repetition.
///
/// Formulas: `torch.nn.Conv2d` (cross-correlation, zero padding), `torch.nn.GroupNorm` (biased
/// variance).
template <class ExecutionSpace>
class Layer {
 public:
  using execution_space = ExecutionSpace;
  using memory_space = typename ExecutionSpace::memory_space;
  /// (N, in_channels, height, width)
  using Input = Kokkos::View<const float****, Kokkos::LayoutRight,
                             Kokkos::Device<ExecutionSpace, memory_space>,
                             Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  /// (N, out_channels, output height, output width)
  using Output =
      Kokkos::View<float****, Kokkos::LayoutRight, Kokkos::Device<ExecutionSpace, memory_space>,
                   Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  /// \param exec       the instance on which the parameters are packed; fenced before returning
  /// \param shape      `shape.batch` is the most images that one run may have
  /// \param parameters copied from
  /// \throws InvalidArgument if shape, a parameter's extents or an option is wrong
  /// \throws OutOfMemory if the workspace cannot be allocated
  Layer(const ExecutionSpace& exec, const Shape& shape, const Parameters<memory_space>& parameters,
        const Options& options = {});

  /// What a layer of this shape would do and need, without making one.
  /// \throws InvalidArgument if shape or an option is wrong
  static Plan plan(const Shape& shape, const Options& options = {});

  const Shape& shape() const;
  const Plan& plan() const;

  /// Runs the block on 1 to `shape().batch` images.
  /// \param exec instance to enqueue on
  /// \param x    (N, in_channels, height, width) float, LayoutRight, accessible from exec
  /// \param y    (N, out_channels, output height, output width) float, LayoutRight; must not
  /// overlap
  ///             x; holds activations while the run is under way
  /// \throws InvalidArgument naming the tensor if extents do not match
  template <class InputView, class OutputView>
  void operator()(const ExecutionSpace& exec, const InputView& x, const OutputView& y) const {
    static_assert(Kokkos::is_view_v<InputView> && Kokkos::is_view_v<OutputView>,
                  "fusedconv::Layer: x and y must be Kokkos::Views");
    static_assert(InputView::rank() == 4, "fusedconv::Layer: x must have rank 4 (N, C, H, W)");
    static_assert(OutputView::rank() == 4, "fusedconv::Layer: y must have rank 4 (N, C, H, W)");
    static_assert(std::is_same_v<typename InputView::non_const_value_type, float>,
                  "fusedconv::Layer: x must hold float");
    static_assert(std::is_same_v<typename OutputView::value_type, float>,
                  "fusedconv::Layer: y must hold float that is not const");
    static_assert(std::is_same_v<typename InputView::array_layout, Kokkos::LayoutRight> &&
                      std::is_same_v<typename OutputView::array_layout, Kokkos::LayoutRight>,
                  "fusedconv::Layer: x and y must be LayoutRight (NCHW)");
    static_assert(
        Kokkos::SpaceAccessibility<ExecutionSpace, typename InputView::memory_space>::accessible &&
            Kokkos::SpaceAccessibility<ExecutionSpace,
                                       typename OutputView::memory_space>::accessible,
        "fusedconv::Layer: x and y must be accessible from the layer's execution space");
    check_contiguous("x", x.span_is_contiguous());
    check_contiguous("y", y.span_is_contiguous());
    run(exec, Input(x.data(), x.extent(0), x.extent(1), x.extent(2), x.extent(3)),
        Output(y.data(), y.extent(0), y.extent(1), y.extent(2), y.extent(3)));
  }

 private:
  class Implementation;

  static void check_contiguous(const char* name, bool contiguous);
  void run(const ExecutionSpace& exec, const Input& x, const Output& y) const;

  std::shared_ptr<const Implementation> implementation_;
};

}  // namespace fusedconv

#endif
