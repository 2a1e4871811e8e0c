// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_LAYER_HPP
#define FUSEDCONV_LAYER_HPP

#include <Kokkos_Core.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fusedconv/element_type.hpp>
#include <fusedconv/float16.hpp>
#include <fusedconv/options.hpp>
#include <fusedconv/parameters.hpp>
#include <fusedconv/row_range.hpp>
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
  /// Blocks of output rows begin at multiples of it, and end at one or at the last row; 0 where the
  /// algorithm does not compute images in blocks of rows (gemm), or elements have 16 bits.
  std::int64_t row_alignment = 0;
  /// Words of Layer::RowStatistics; 0 where row_alignment is.
  std::int64_t row_statistics_words = 0;
};

/// `y = GroupNorm(activation((conv2d(x) + bias) * scale))`: planned once, run many times.
///
/// Everything is allocated by the constructor; a run allocates nothing, does not fence and is
/// asynchronous on the execution space instance it is given. A run uses the layer's workspace: runs
/// that may overlap need a layer each. On one execution space the result is the same to the last
/// bit for any number of threads, any cut of the batch and any repetition.
///
/// Formulas: `torch.nn.Conv2d` (cross-correlation, zero padding), `torch.nn.GroupNorm` (biased
/// variance).
///
/// Instead of whole images it also computes blocks of output rows, for an image that does not fit
/// in memory or is shared among processes, with the bits of the whole image:
///
///     layer.activate_rows(exec, rows, x_rows, y_rows, statistics);   // each block of the image
///     // the statistics of all blocks are added up, also those of other processes
///     layer.normalize_rows(exec, rows, x_rows, y_rows, statistics);  // each block
template <class ExecutionSpace>
class Layer {
 public:
  /// What runs are launched on, an instance of it for each.
  using execution_space = ExecutionSpace;
  /// Where the layer's workspace is, and parameters are.
  using memory_space = typename ExecutionSpace::memory_space;
  /// (N, in_channels, height, width)
  using Input = Kokkos::View<const float****, Kokkos::LayoutRight,
                             Kokkos::Device<ExecutionSpace, memory_space>,
                             Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  /// (N, out_channels, output height, output width)
  using Output =
      Kokkos::View<float****, Kokkos::LayoutRight, Kokkos::Device<ExecutionSpace, memory_space>,
                   Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  /// What is known of the activations of an image: `plan().row_statistics_words` words, all 0 where
  /// nothing is known yet. What disjoint blocks of rows contribute, to one View or to one each, on
  /// one process or on many, is merged by adding the words as unsigned 64-bit integers (MPI_SUM of
  /// MPI_UINT64_T); no order of it changes a bit. Words are meaningful to layers of the same shape,
  /// options, execution space and build only.
  using RowStatistics = Kokkos::View<std::uint64_t*, Kokkos::LayoutRight,
                                     Kokkos::Device<ExecutionSpace, memory_space>,
                                     Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  /// The same, only read.
  using ConstRowStatistics = Kokkos::View<const std::uint64_t*, Kokkos::LayoutRight,
                                          Kokkos::Device<ExecutionSpace, memory_space>,
                                          Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  /// \param exec       the instance on which the parameters are packed; fenced before returning
  /// \param shape      `shape.batch` is the most images that one run may have
  /// \param parameters copied from
  /// \param options    algorithm, precision, and the elements of x and y
  /// \throws InvalidArgument if shape, a parameter's extents or an option is wrong
  /// \throws OutOfMemory if the workspace cannot be allocated
  Layer(const ExecutionSpace& exec, const Shape& shape, const Parameters<memory_space>& parameters,
        const Options& options = {});

  /// What a layer of this shape would do and need, without making one.
  /// \throws InvalidArgument if shape or an option is wrong
  static Plan plan(const Shape& shape, const Options& options = {});

  /// As the constructor was given it.
  const Shape& shape() const;
  /// What a run does.
  const Plan& plan() const;

  /// Runs the block on 1 to `shape().batch` images.
  /// \param exec instance to enqueue on
  /// \param x    (N, in_channels, height, width), or without N for one image; LayoutRight, or
  ///             LayoutStride with LayoutRight's strides; accessible from exec; of the elements
  ///             that Options::input_type says: float, Float16 or BFloat16, or Kokkos's half_t or
  ///             bhalf_t where it has 16 bits
  /// \param y    (N, out_channels, output height, output width) likewise, of the elements that
  ///             Options::output_type says; must not overlap x; holds activations while the run is
  ///             under way
  /// \throws InvalidArgument naming the tensor if extents or elements do not match, or strides are
  ///         others
  template <class InputView, class OutputView>
  void operator()(const ExecutionSpace& exec, const InputView& x, const OutputView& y) const {
    check_types<InputView, OutputView>();
    using Element = typename InputView::non_const_value_type;
    run(exec, Images<const void>{x.data(), detail::element_type_of<Element>, extents_of("x", x)},
        Images<void>{y.data(), detail::element_type_of<typename OutputView::value_type>,
                     extents_of("y", y)});
  }

  /// The first step of a block of output rows of one image: convolves and activates, and adds what
  /// GroupNorm needs to know of the block to the image's statistics. Allocates nothing, does not
  /// fence, is asynchronous on exec and uses the layer's workspace, as a run.
  ///
  /// A block that stays in memory is completed by normalize_rows() once the statistics of all
  /// blocks have been added up. A sweep over blocks that do not is made twice: with statistics, and
  /// then with none, each block followed by normalize_rows().
  /// \param exec       instance to enqueue on
  /// \param rows       a block as plan().row_alignment says
  /// \param x_rows     (1, in_channels, input_rows(shape(), rows).count, width), those rows
  /// \param y_rows     (1, out_channels, rows.count, output width); afterwards to be handed to
  ///                   normalize_rows() as it is, with content of no meaning to others
  /// \param statistics of the image; added to, once for each block. None (`{}`) to leave that out
  /// \throws InvalidArgument naming what does not match: "rows", "x_rows", "y_rows", "statistics",
  ///         or "algorithm" where plan().row_alignment is 0
  template <class InputView, class OutputView>
  void activate_rows(const ExecutionSpace& exec, const RowRange& rows, const InputView& x_rows,
                     const OutputView& y_rows, const RowStatistics& statistics) const {
    check_types<InputView, OutputView>();
    check_float<InputView, OutputView>();
    activate_block(exec, rows, as_tensor<Input>("x_rows", x_rows),
                   as_tensor<Output>("y_rows", y_rows), statistics);
  }

  /// The second step: normalises a block. Like activate_rows() in what it does not do.
  /// \param exec       instance to enqueue on
  /// \param rows       those of activate_rows()
  /// \param x_rows     what activate_rows() was given: some algorithms convolve again
  /// \param y_rows     as activate_rows() left it; receives the output
  /// \param statistics of the whole image
  /// \throws InvalidArgument as activate_rows(), and if there are no statistics
  template <class InputView, class OutputView>
  void normalize_rows(const ExecutionSpace& exec, const RowRange& rows, const InputView& x_rows,
                      const OutputView& y_rows, const ConstRowStatistics& statistics) const {
    check_types<InputView, OutputView>();
    check_float<InputView, OutputView>();
    normalize_block(exec, rows, as_tensor<Input>("x_rows", x_rows),
                    as_tensor<Output>("y_rows", y_rows), statistics);
  }

 private:
  class Implementation;

  /// Those of LayoutStride are looked at when a View comes.
  template <class Layout>
  static constexpr bool is_layout_of_caller =
      std::is_same_v<Layout, Kokkos::LayoutRight> || std::is_same_v<Layout, Kokkos::LayoutStride>;

  template <class InputView, class OutputView>
  static constexpr void check_types() {
    static_assert(Kokkos::is_view_v<InputView> && Kokkos::is_view_v<OutputView>,
                  "fusedconv::Layer: x and y must be Kokkos::Views");
    static_assert(InputView::rank() == 4 || InputView::rank() == 3,
                  "fusedconv::Layer: x must have rank 4 (N, C, H, W), or 3 (C, H, W)");
    static_assert(OutputView::rank() == 4 || OutputView::rank() == 3,
                  "fusedconv::Layer: y must have rank 4 (N, C, H, W), or 3 (C, H, W)");
    static_assert(detail::is_element<typename InputView::non_const_value_type>,
                  "fusedconv::Layer: x must hold float, Float16 or BFloat16");
    static_assert(detail::is_element<typename OutputView::value_type>,
                  "fusedconv::Layer: y must hold float, Float16 or BFloat16, not const");
    static_assert(is_layout_of_caller<typename InputView::array_layout> &&
                      is_layout_of_caller<typename OutputView::array_layout>,
                  "fusedconv::Layer: x and y must be LayoutRight (NCHW), or LayoutStride with the "
                  "strides of LayoutRight");
    static_assert(
        Kokkos::SpaceAccessibility<ExecutionSpace, typename InputView::memory_space>::accessible &&
            Kokkos::SpaceAccessibility<ExecutionSpace,
                                       typename OutputView::memory_space>::accessible,
        "fusedconv::Layer: x and y must be accessible from the layer's execution space");
  }

  template <class InputView, class OutputView>
  static constexpr void check_float() {
    static_assert(std::is_same_v<typename InputView::non_const_value_type, float> &&
                      std::is_same_v<typename OutputView::value_type, float>,
                  "fusedconv::Layer: blocks of rows must hold float");
  }

  /// x or y of a run, whatever its elements are.
  template <class Void>
  struct Images {
    Void* data;
    ElementType type;
    std::array<std::size_t, 4> extents;

    std::size_t extent(std::size_t axis) const { return extents[axis]; }
  };

  /// A caller's View as it is.
  template <class Tensor, class View>
  static Tensor as_tensor(const char* name, const View& view) {
    const std::array<std::size_t, 4> extents = extents_of(name, view);
    return Tensor(view.data(), extents[0], extents[1], extents[2], extents[3]);
  }

  /// (N, C, H, W) of a caller's View without gaps; one image is a batch of one.
  template <class View>
  static std::array<std::size_t, 4> extents_of(const char* name, const View& view) {
    constexpr std::size_t absent = 4 - View::rank();
    std::array<std::size_t, 4> extents{1, 1, 1, 1};
    std::array<std::size_t, 4> strides{};
    for (std::size_t i = absent; i < 4; ++i) {
      extents[i] = view.extent(i - absent);
      strides[i] = static_cast<std::size_t>(view.stride(i - absent));
    }
    require_no_gaps(name, extents, strides);
    return extents;
  }

  static void require_no_gaps(const char* name, const std::array<std::size_t, 4>& extents,
                              const std::array<std::size_t, 4>& strides);
  void run(const ExecutionSpace& exec, const Images<const void>& x, const Images<void>& y) const;
  void activate_block(const ExecutionSpace& exec, const RowRange& rows, const Input& x_rows,
                      const Output& y_rows, const RowStatistics& statistics) const;
  void normalize_block(const ExecutionSpace& exec, const RowRange& rows, const Input& x_rows,
                       const Output& y_rows, const ConstRowStatistics& statistics) const;

  std::shared_ptr<const Implementation> implementation_;
};

}  // namespace fusedconv

#endif
