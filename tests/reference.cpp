// SPDX-License-Identifier: Apache-2.0
#include "reference.hpp"

#include <cmath>

namespace fusedconv::test {

std::vector<double> convolution(const Problem& problem) {
  const Shape& shape = problem.shape;
  std::vector<double> c;
  c.reserve(static_cast<std::size_t>(shape.output_size()));
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t o = 0; o < shape.out_channels; ++o) {
      for (std::int64_t i = 0; i < shape.output_height(); ++i) {
        for (std::int64_t j = 0; j < shape.output_width(); ++j) {
          double sum = parameter(problem.conv_bias, o, 0);
          for_each_term(problem, n, o, i, j, [&](double term) { sum += term; });
          c.push_back(sum);
        }
      }
    }
  }
  return c;
}

std::vector<double> activation(const Problem& problem, const std::vector<double>& c) {
  const std::int64_t area = problem.shape.output_area();
  std::vector<double> s(c.size());
  for (std::size_t index = 0; index < c.size(); ++index) {
    const std::int64_t o = static_cast<std::int64_t>(index) / area % problem.shape.out_channels;
    const double t = (c[index] + parameter(problem.bias, o, 0)) * parameter(problem.scale, o, 1);
    s[index] = 1 / (1 + std::exp(-t));
  }
  return s;
}

std::vector<GroupMoments> group_moments(const Problem& problem, const std::vector<double>& s) {
  const Shape& shape = problem.shape;
  const std::int64_t count = shape.channels_per_norm_group() * shape.output_area();
  std::vector<GroupMoments> groups(static_cast<std::size_t>(shape.batch * shape.num_groups));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double* values = s.data() + static_cast<std::int64_t>(g) * count;
    double sum = 0;
    // From the first value on: a constant group's variance is then zero without rounding.
    for (std::int64_t k = 0; k < count; ++k) sum += values[k] - values[0];
    groups[g].mean = values[0] + sum / static_cast<double>(count);
    double squares = 0;
    for (std::int64_t k = 0; k < count; ++k) {
      squares += (values[k] - groups[g].mean) * (values[k] - groups[g].mean);
    }
    groups[g].variance = squares / static_cast<double>(count);
  }
  return groups;
}

std::vector<double> group_norm(const Problem& problem, const std::vector<double>& s) {
  const Shape& shape = problem.shape;
  const std::int64_t area = shape.output_area();
  const std::vector<GroupMoments> groups = group_moments(problem, s);
  std::vector<double> y(s.size());
  for (std::size_t index = 0; index < s.size(); ++index) {
    const std::int64_t channel = static_cast<std::int64_t>(index) / area;  // of all images
    const std::int64_t o = channel % shape.out_channels;
    const GroupMoments& group = groups[channel / shape.channels_per_norm_group()];
    y[index] = (s[index] - group.mean) / std::sqrt(group.variance + shape.eps) *
                   parameter(problem.group_norm_weight, o, 1) +
               parameter(problem.group_norm_bias, o, 0);
  }
  return y;
}

std::vector<double> reference(const Problem& problem) {
  return group_norm(problem, activation(problem, convolution(problem)));
}

}  // namespace fusedconv::test
