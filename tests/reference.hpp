// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_REFERENCE_HPP
#define FUSEDCONV_TESTS_REFERENCE_HPP

#include <cstdint>
#include <fusedconv/activation.hpp>
#include <vector>

#include "problem.hpp"

/// The oracle: the block's definition in double precision, one plain loop nest for each formula.
namespace fusedconv::test {

/// Calls visit(weight * x) for every term of the convolution's sum at output (n, o, i, j); terms in
/// the zero padding are left out.
template <class Visit>
void for_each_term(const Problem& problem, std::int64_t n, std::int64_t o, std::int64_t i,
                   std::int64_t j, Visit visit) {
  const Shape& shape = problem.shape;
  const std::int64_t channels = shape.in_channels_per_group();
  const std::int64_t first_channel = o / shape.out_channels_per_group() * channels;
  const auto [kernel_height, kernel_width] = shape.kernel_size;
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t kh = 0; kh < kernel_height; ++kh) {
      for (std::int64_t kw = 0; kw < kernel_width; ++kw) {
        const std::int64_t row = i * shape.stride[0] - shape.padding[0] + kh * shape.dilation[0];
        const std::int64_t column = j * shape.stride[1] - shape.padding[1] + kw * shape.dilation[1];
        if (row < 0 || row >= shape.height || column < 0 || column >= shape.width) continue;
        const double weight =
            problem.conv_weight[((o * channels + c) * kernel_height + kh) * kernel_width + kw];
        const double x =
            problem.input[((n * shape.in_channels + first_channel + c) * shape.height + row) *
                              shape.width +
                          column];
        visit(weight * x);
      }
    }
  }
}

/// The value of a per-channel parameter, or its default where it is absent.
inline double parameter(const std::vector<float>& values, std::int64_t channel, double absent) {
  return values.empty() ? absent : values[channel];
}

/// Mean and biased variance of one image's normalisation group.
struct GroupMoments {
  double mean = 0;
  double variance = 0;
};

inline constexpr Activation all_activations[] = {
    Activation::sigmoid,   Activation::relu, Activation::silu,    Activation::gelu,
    Activation::gelu_tanh, Activation::tanh, Activation::identity};

/// An activation of one value.
double activated(Activation activation, double t);
/// Its derivative.
double activation_slope(Activation activation, double t);

/// conv2d(x), with conv.bias.
std::vector<double> convolution(const Problem& problem);
/// activation((c + bias) * scale)
std::vector<double> activation(const Problem& problem, const std::vector<double>& c);
/// Of each image's groups, (N, num_groups).
std::vector<GroupMoments> group_moments(const Problem& problem, const std::vector<double>& s);
/// (s - mean) / sqrt(variance + eps) * group_norm.weight + group_norm.bias
std::vector<double> group_norm(const Problem& problem, const std::vector<double>& s);

/// The block's output, (N, out_channels, output height, output width).
std::vector<double> reference(const Problem& problem);

}  // namespace fusedconv::test

#endif
