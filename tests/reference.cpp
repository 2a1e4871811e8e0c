// SPDX-License-Identifier: Apache-2.0
#include "reference.hpp"

#include <cmath>
#include <numbers>

namespace fusedconv::test {

namespace {

double sigmoid(double t) { return 1 / (1 + std::exp(-t)); }

double normal_distribution(double t) { return std::erfc(-t / std::sqrt(2.0)) / 2; }

/// gelu_tanh(t) is t sigmoid(v(t)), by (1 + tanh(v / 2)) / 2 = sigmoid(v).
double gelu_tanh_argument(double t) {
  return 2 * std::sqrt(2 / std::numbers::pi) * (t + 0.044715 * t * t * t);
}

}  // namespace

double activated(Activation activation, double t) {
  switch (activation) {
    case Activation::sigmoid:
      return sigmoid(t);
    case Activation::relu:
      return t < 0 ? 0 : t;
    case Activation::silu:
      return t * sigmoid(t);
    case Activation::gelu:
      return t * normal_distribution(t);
    case Activation::gelu_tanh:
      return t * sigmoid(gelu_tanh_argument(t));
    case Activation::tanh:
      return std::tanh(t);
    case Activation::identity:
      return t;
  }
  return NAN;
}

double activation_slope(Activation activation, double t) {
  const auto sigmoid_slope = [](double v) { return sigmoid(v) * (1 - sigmoid(v)); };
  switch (activation) {
    case Activation::sigmoid:
      return sigmoid_slope(t);
    case Activation::relu:
      return t < 0 ? 0 : 1;
    case Activation::silu:
      return sigmoid(t) + t * sigmoid_slope(t);
    case Activation::gelu:
      return normal_distribution(t) + t * std::exp(-t * t / 2) / std::sqrt(2 * std::numbers::pi);
    case Activation::gelu_tanh: {
      const double v = gelu_tanh_argument(t);
      const double v_slope = 2 * std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * t * t);
      return sigmoid(v) + t * sigmoid_slope(v) * v_slope;
    }
    case Activation::tanh:
      return 1 - std::tanh(t) * std::tanh(t);
    case Activation::identity:
      return 1;
  }
  return NAN;
}

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
    s[index] = activated(problem.shape.activation, t);
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
