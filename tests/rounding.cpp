// SPDX-License-Identifier: Apache-2.0
#include "rounding.hpp"

#include <cmath>
#include <limits>

#include "reference.hpp"

namespace fusedconv::test {

namespace {

double square(double value) { return value * value; }

}  // namespace

double float32_rounding(const Problem& problem) {
  const Shape& shape = problem.shape;
  const std::vector<double> c = convolution(problem);
  const std::vector<double> s = activation(problem, c);
  const std::vector<double> y = group_norm(problem, s);
  const std::vector<GroupMoments> groups = group_moments(problem, s);

  const double u2 = square(std::numeric_limits<float>::epsilon() / 2);
  double squares = 0;
  std::size_t index = 0;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t o = 0; o < shape.out_channels; ++o) {
      const double bias = parameter(problem.bias, o, 0);
      const double scale = parameter(problem.scale, o, 1);
      const double weight = parameter(problem.group_norm_weight, o, 1);
      const double shift = parameter(problem.group_norm_bias, o, 0);
      const GroupMoments& group =
          groups[n * shape.num_groups + o / shape.channels_per_norm_group()];
      for (std::int64_t i = 0; i < shape.output_height(); ++i) {
        for (std::int64_t j = 0; j < shape.output_width(); ++j, ++index) {
          double partial_sum = parameter(problem.conv_bias, o, 0);
          double partial_squares = 0;
          for_each_term(problem, n, o, i, j, [&](double term) {
            partial_sum += term;
            partial_squares += square(partial_sum);
          });
          const double dc2 = u2 * partial_squares;
          const double t = (c[index] + bias) * scale;
          const double dt2 =
              square(scale) *
                  (dc2 + u2 * (square(c[index]) + square(bias) + square(c[index] + bias))) +
              u2 * square(t);
          const double slope = activation_slope(shape.activation, t);
          const double ds2 =
              shape.activation == Activation::sigmoid
                  ? square(slope) * dt2 + 4 * u2 * square(s[index])
                  : square(slope) * (dt2 + 4 * u2 * square(t)) + 16 * u2 * square(s[index]);
          squares +=
              square(weight) / (group.variance + shape.eps) * (ds2 + u2 * square(group.mean)) +
              4 * u2 * square(y[index] - shift) + u2 * (square(shift) + square(y[index]));
        }
      }
    }
  }
  return std::sqrt(squares);
}

double float32_tolerance(const Problem& problem) { return 2 * float32_rounding(problem); }

double l2_distance(const std::vector<float>& y, const std::vector<double>& expected) {
  double squares = 0;
  for (std::size_t index = 0; index < expected.size(); ++index) {
    squares += square(y.at(index) - expected[index]);
  }
  return std::sqrt(squares);
}

}  // namespace fusedconv::test
