// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SHAPE_HPP
#define FUSEDCONV_SHAPE_HPP

#include <array>
#include <cstdint>
#include <fusedconv/activation.hpp>
#include <string>

namespace fusedconv {

/// A (height, width) pair, as PyTorch orders it.
using HeightWidth = std::array<std::int64_t, 2>;

/// Sizes and hyper-parameters of the block `GroupNorm(activation((conv2d(x) + bias) * scale))`.
///
/// Names and meanings are those of `torch.nn.Conv2d` and `torch.nn.GroupNorm`; the convolution pads
/// with zeros.
struct Shape {
  std::int64_t batch = 1;         ///< N: images
  std::int64_t in_channels = 1;   ///< channels of the input
  std::int64_t height = 1;        ///< rows of the input
  std::int64_t width = 1;         ///< columns of the input
  std::int64_t out_channels = 1;  ///< channels of the output
  /// Pixels.
  HeightWidth kernel_size{1, 1};
  /// Input pixels from one output pixel to the next.
  HeightWidth stride{1, 1};
  /// Rows and columns of zeros on each side of the input.
  HeightWidth padding{0, 0};
  /// Input pixels from one weight to the next.
  HeightWidth dilation{1, 1};
  std::int64_t groups = 1;      ///< channel groups of the convolution
  std::int64_t num_groups = 1;  ///< groups of the normalisation
  double eps = 1e-5;            ///< added to the variance
  Activation activation = Activation::sigmoid;

  /// Checks every member and that every element count fits 64 bits.
  /// \throws InvalidArgument naming the first member that is wrong as the file format names it
  void validate() const;

  /// floor((height + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, `torch.nn.Conv2d`'s
  /// formula; at least 1 for a validated shape.
  std::int64_t output_height() const { return output_extent(height, 0); }
  /// Likewise of width.
  std::int64_t output_width() const { return output_extent(width, 1); }

  /// Input channels that an output channel is convolved from.
  std::int64_t in_channels_per_group() const { return in_channels / groups; }
  /// Output channels of a channel group of the convolution.
  std::int64_t out_channels_per_group() const { return out_channels / groups; }
  /// Channels that are normalised together.
  std::int64_t channels_per_norm_group() const { return out_channels / num_groups; }
  std::int64_t kernel_area() const { return kernel_size[0] * kernel_size[1]; }   ///< pixels
  std::int64_t output_area() const { return output_height() * output_width(); }  ///< pixels

  std::int64_t input_size() const { return batch * in_channels * height * width; }   ///< elements
  std::int64_t output_size() const { return batch * out_channels * output_area(); }  ///< elements
  std::int64_t weight_size() const {                                                 ///< elements
    return out_channels * in_channels_per_group() * kernel_area();
  }

  /// Floating-point operations of the convolution, a multiply-add counted as two; the usual
  /// measure, which leaves out the activation and the normalisation.
  double flops() const {
    return 2.0 * static_cast<double>(output_size()) *
           static_cast<double>(in_channels_per_group() * kernel_area());
  }

  /// The same layer for another number of images.
  Shape with_batch(std::int64_t images) const {
    Shape shape = *this;
    shape.batch = images;
    return shape;
  }

  /// Whether all members are the same.
  bool operator==(const Shape&) const = default;

 private:
  std::int64_t output_extent(std::int64_t extent, int axis) const {
    return (extent + 2 * padding[axis] - dilation[axis] * (kernel_size[axis] - 1) - 1) /
               stride[axis] +
           1;
  }
};

/// One line, e.g. "128x8x256x256 -> 128x32x254x254, kernel 3x3, 8 groups"; an activation that is
/// not sigmoid follows.
std::string to_string(const Shape& shape);

}  // namespace fusedconv

#endif
