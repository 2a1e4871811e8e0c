// SPDX-License-Identifier: Apache-2.0
#include "error_bound.hpp"

#include <algorithm>
#include <cmath>
#include <fusedconv/activation.hpp>
#include <limits>
#include <numbers>

#include "reference.hpp"

namespace fusedconv::test {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double u = 0x1p-24;          // unit roundoff of float32
constexpr double smallest = 0x1p-149;  // of float32: what underflows is wrong by half of it
constexpr double largest = 0x1p128;    // from here on float32 overflows
constexpr double nearly = 1 - 0x1p-10;

/// The relative error that n roundings may add up to (Higham, Accuracy and Stability of Numerical
/// Algorithms, 2nd edition, lemma 3.1).
double gamma(double n) { return n * u / (1 - n * u); }

double square(double value) { return value * value; }

/// Sums of an output's row of taps, three rows at a time for Winograd's algorithm.
ConvolutionSum sum_of(const Problem& problem, std::int64_t n, std::int64_t o, std::int64_t i,
                      std::int64_t j) {
  const Shape& shape = problem.shape;
  const std::int64_t channels = shape.in_channels_per_group();
  const std::int64_t first_channel = o / shape.out_channels_per_group() * channels;
  const auto [kernel_height, kernel_width] = shape.kernel_size;
  ConvolutionSum sum;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* const plane =
        &problem.input[(n * shape.in_channels + first_channel + c) * shape.height * shape.width];
    const float* const weights =
        &problem.conv_weight[(o * channels + c) * kernel_height * kernel_width];
    for (std::int64_t kw = 0; kw < kernel_width; ++kw) {
      const std::int64_t column = j * shape.stride[1] - shape.padding[1] + kw * shape.dilation[1];
      double w[3] = {};
      double x[3] = {};
      for (std::int64_t kh = 0; kh < kernel_height; ++kh) {
        const std::int64_t row = i * shape.stride[0] - shape.padding[0] + kh * shape.dilation[0];
        const double weight = weights[kh * kernel_width + kw];
        const bool is_padding =
            row < 0 || row >= shape.height || column < 0 || column >= shape.width;
        const double value = is_padding ? 0 : plane[row * shape.width + column];
        if (kh < 3) {
          w[kh] = weight;
          x[kh] = value;
        }
        if (is_padding) {
          sum.meets_padding |= !std::isfinite(weight);
          continue;
        }
        sum.value += weight * value;
        if (!std::isfinite(weight) || !std::isfinite(value)) continue;
        sum.magnitude += std::abs(weight * value);
        sum.weights += value != 0 ? std::abs(weight) : 0;
        sum.inputs += std::abs(value);
      }
      if (kernel_height != 3) continue;
      // The output's three rows are d0 to d2 of its pair, or d1 to d3.
      const double of_weights = 0x1p-28 * (std::abs(w[0]) + std::abs(w[1]) + std::abs(w[2]));
      const double plus = std::abs(w[0] + w[1] + w[2]) / 2 + of_weights;
      const double minus = std::abs(w[0] - w[1] + w[2]) / 2 + of_weights;
      const double outer = std::abs(x[0] - x[2]);
      const double above = std::abs(x[0] + x[1]) * plus + std::abs(x[1] - x[0]) * minus;
      const double below = std::abs(x[1] + x[2]) * plus + std::abs(x[2] - x[1]) * minus;
      sum.winograd += std::max(outer * std::abs(w[0]) + below, outer * std::abs(w[2]) + above);
      sum.winograd_inputs += outer + 2 * (std::abs(x[0]) + std::abs(x[1]) + std::abs(x[2]));
    }
  }
  return sum;
}

/// Where an activation that is not monotone has its minimum, and that; NaN where it is monotone.
struct Minimum {
  double at;
  double value;
};

Minimum minimum_of(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return {-1.2784645, -0.2784646};
    case Activation::gelu:
      return {-0.7517916, -0.1699713};
    case Activation::gelu_tanh:
      return {-0.7524614, -0.1700409};
    default:
      return {std::numeric_limits<double>::quiet_NaN(), 0};
  }
}

bool is_product_with_argument(Activation activation) {
  return activation == Activation::silu || activation == Activation::gelu ||
         activation == Activation::gelu_tanh;
}

/// How far activations are moved by a relative error u of the argument of the sigmoid or normal
/// distribution inside, in units of u.
double inner_condition(Activation activation, double t) {
  if (!std::isfinite(t)) return 0;
  const auto sigmoid_slope = [](double v) {
    const double s = activated(Activation::sigmoid, v);
    return s * activated(Activation::sigmoid, -v);
  };
  switch (activation) {
    case Activation::silu:
      return t * t * sigmoid_slope(t);
    case Activation::gelu:
      return t * t * std::exp(-t * t / 2) / std::sqrt(2 * std::numbers::pi);
    case Activation::gelu_tanh: {
      const double v = 2 * std::sqrt(2 / std::numbers::pi) * (t + 0.044715 * t * t * t);
      return std::isfinite(v) ? std::abs(t * v) * sigmoid_slope(v) : 0;
    }
    default:
      return 0;
  }
}

/// The relative error of an activation's own operations in units of u, where nothing underflows:
/// what lib/src/activation.hpp promises of hosts, or of the functions and quotients of devices.
double roundings_of(Activation activation) {
  switch (activation) {
    case Activation::tanh:
      return 6;
    case Activation::gelu:
      return 18;
    default:
      return 10;
  }
}

/// An argument of the activation, and what float32 may make of it.
struct Argument {
  double value = 0;
  double low = 0;
  double high = 0;
  bool may_be_nan = false;

  static Argument anything(double value) { return {value, -infinity, infinity, true}; }
  static Argument exactly(double value) { return {value, value, value, false}; }
};

/// NUMERICS.md, "The convolution" and "The argument".
Argument argument_of(const Reference& reference, const Arithmetic& arithmetic,
                     const ConvolutionSum& sum, std::int64_t n, std::int64_t o) {
  const Problem& problem = reference.problem;
  const Shape& shape = problem.shape;
  const double conv_bias = parameter(problem.conv_bias, o, 0);
  const double own_bias = parameter(problem.bias, o, 0);
  const double bias = conv_bias + own_bias;
  const double scale = parameter(problem.scale, o, 1);
  const double z = sum.value + conv_bias + own_bias;
  const double t = z * scale;

  double magnitude = sum.magnitude;
  if (arithmetic.algorithm == Algorithm::winograd) {
    magnitude = std::max(magnitude, sum.winograd);
  }
  const auto finite = [](double value) { return std::isfinite(value) ? std::abs(value) : 0.0; };
  const double largest_of_z = magnitude + finite(conv_bias) + finite(own_bias);
  if (sum.meets_padding || largest_of_z >= nearly * largest) return Argument::anything(t);
  const double factor_of_device = arithmetic.on_host ? 1 : 2;  // log2(e) in the factor
  if (!arithmetic.on_host && std::abs(scale) * factor_of_device >= largest) {
    return Argument::anything(t);
  }
  if (arithmetic.on_tensor_cores() &&
      !(std::abs(bias) * std::abs(scale) * factor_of_device < nearly * largest)) {
    return Argument::anything(t);
  }
  if (std::isnan(scale) || !std::isfinite(z)) return Argument::exactly(t);

  const auto taps = static_cast<double>(shape.in_channels_per_group() * shape.kernel_area());
  double error_of_z = gamma(taps + 8) * (magnitude + std::abs(bias)) + (taps + 2) * smallest;
  if (arithmetic.algorithm == Algorithm::winograd) {
    error_of_z += (sum.winograd_inputs + taps) * smallest;
  }
  if (arithmetic.on_tensor_cores()) {
    const std::int64_t whole_steps =
        (shape.in_channels_per_group() + 7) / 8 * shape.kernel_area() + 1;
    const auto steps = static_cast<double>(whole_steps);
    const bool is_split = arithmetic.precision == Precision::fp32;
    const double operands = is_split ? 12 * u : 0x1p-10 + 0x1p-22;
    const double cut_off = 36 * u * (is_split ? std::min(3 * steps, 18.0) : steps);
    const std::int64_t group = o / shape.out_channels_per_group();
    error_of_z += (operands + cut_off + u * steps) * magnitude +
                  0x1p-36 * reference.largest_input[n * shape.groups + group] * sum.weights +
                  0x1p-39 * reference.largest_weight[o] * sum.inputs;
  }
  if (std::isinf(scale)) {
    return std::abs(z) > error_of_z ? Argument::exactly(t) : Argument::anything(t);
  }
  double error = std::abs(scale) * error_of_z + 3 * smallest;
  if (!arithmetic.on_host) error += (std::abs(z) + error_of_z) * smallest;
  if (arithmetic.on_tensor_cores()) error += 0x1p-86 * taps;

  Argument argument{t, t - error, t + error, false};
  // Products overflow before sums of them cancel, to the side that the argument is on.
  if (std::abs(scale) * largest_of_z >= nearly * largest) {
    if (argument.low < 0) argument.low = -infinity;
    if (argument.high > 0) argument.high = infinity;
  }
  return argument;
}

/// An activation and how far float32 may be from it.
struct Activated {
  double error = 0;
  bool may_be_nan = false;
};

/// NUMERICS.md, "The activation".
Activated activation_error(Activation activation, const Argument& argument, double s) {
  if (argument.low == argument.high && std::isinf(argument.low)) return {};
  Activated result{0, argument.may_be_nan};
  double most = 0;  // magnitude that the function reaches
  const auto reach = [&](double value) {
    result.error = std::max(result.error, std::abs(value - s));
    most = std::max(most, std::abs(value));
  };
  for (const double end : {argument.low, argument.high}) {
    if (std::isinf(end) && is_product_with_argument(activation)) {
      // -inf times 0 is NaN; just above, the limit is 0.
      if (end < 0) {
        result.may_be_nan = true;
        reach(0);
      } else {
        reach(infinity);
      }
      continue;
    }
    reach(activated(activation, end));
  }
  most = std::max(most, std::abs(s));
  const Minimum minimum = minimum_of(activation);
  if (argument.low <= minimum.at && minimum.at <= argument.high) reach(minimum.value);
  if (result.error == infinity) {
    result.may_be_nan = true;  // of its group
    return result;
  }
  if (activation == Activation::relu || activation == Activation::identity) return result;
  constexpr double narrow = 1.0 / 16;
  constexpr double most_inner = 0.5;  // of all three functions over all arguments
  double inner = 0;
  if (is_product_with_argument(activation)) {
    inner = argument.high - argument.low > 2 * narrow
                ? most_inner
                : 9.0 / 8 *
                      std::max({inner_condition(activation, argument.low),
                                inner_condition(activation, argument.value),
                                inner_condition(activation, argument.high)});
  }
  const double factor =
      std::clamp(std::max(std::abs(argument.low), std::abs(argument.high)), 1.0, 128.0);
  result.error += u * (roundings_of(activation) * most + 7 * inner) + factor * 0x1p-126;
  return result;
}

/// What is known of the rounding of a tile's moments.
struct MomentsArithmetic {
  double chain = 0;     ///< float32 additions that a sum passes through
  double distance = 0;  ///< squared, of the pivot from a tile's mean, in its variances, at most
  double absolute = 0;  ///< error of the mean and of the mean square
  double relative = 0x1p-48;  ///< error of the mean, to the largest magnitude
};

MomentsArithmetic moments_arithmetic(const Shape& shape, const Arithmetic& arithmetic) {
  if (arithmetic.on_tensor_cores()) return {24, 128, 0x1p-51, 0x1p-44};
  if (arithmetic.algorithm == Algorithm::gemm) return {0, 4096};
  if (!arithmetic.on_host) return {24, 16};
  const auto rows = static_cast<double>(std::min<std::int64_t>(8, shape.output_height()));
  const auto columns = static_cast<double>(std::min<std::int64_t>(960, shape.output_width()));
  const bool may_be_flattened = shape.kernel_area() == 1;
  const double vectors = std::ceil((may_be_flattened ? 960 : columns) / 4);
  const double of_first_columns = std::max(1.0, columns / 64);
  return {std::min(rows * vectors, 63 + vectors),
          may_be_flattened ? std::max(15.0, rows * of_first_columns) : rows * of_first_columns};
}

/// The moments of a group and how far float32 may be from them.
struct GroupError {
  double mean = 0;
  double deviation = 0;      ///< sqrt(variance + eps)
  double mean_error = 0;     ///< of s and of the library's mean
  double deviation_low = 0;  ///< what the library may have
  double deviation_high = 0;
  bool is_capped = false;  ///< whether (s - mean) / deviation is known to be 1.5 sqrt(N) at most
  bool may_be_nan = false;
};

/// NUMERICS.md, "The statistics".
/// \param s, error of the group, channel after channel
GroupError group_error(const Shape& shape, const MomentsArithmetic& moments, const double* s,
                       const double* error) {
  const std::int64_t area = shape.output_area();
  const std::int64_t channels = shape.channels_per_norm_group();
  const auto count = static_cast<double>(channels * area);
  GroupError result;
  double sum = 0;
  double error_sum = 0;
  double error_squares = 0;
  for (std::int64_t k = 0; k < channels * area; ++k) {
    sum += s[k] - s[0];
    error_sum += error[k];
    error_squares += square(error[k]);
  }
  result.mean = s[0] + sum / count;
  double squares = 0;
  double pivot_squares = 0;  // of distances from pivots, at most
  double magnitude = 0;
  for (std::int64_t c = 0; c < channels; ++c) {
    const double* const plane = s + c * area;
    const double* const plane_error = error + c * area;
    double plane_sum = 0;
    double low = infinity;
    double high = -infinity;
    double wrong = 0;
    for (std::int64_t k = 0; k < area; ++k) {
      squares += square(plane[k] - result.mean);
      plane_sum += plane[k] - plane[0];
      low = std::min(low, plane[k]);
      high = std::max(high, plane[k]);
      wrong = std::max(wrong, plane_error[k]);
    }
    const double mean = plane[0] + plane_sum / static_cast<double>(area);
    double plane_squares = 0;
    for (std::int64_t k = 0; k < area; ++k) plane_squares += square(plane[k] - mean);
    const double deviation = std::sqrt(plane_squares / static_cast<double>(area));
    const double by_pivot = (1 + 0x1p-10) * std::sqrt(1 + moments.distance) * (deviation + wrong);
    const double by_range = std::hypot(deviation, std::max(high - mean, mean - low)) + 2 * wrong;
    const double largest_of_plane = std::max(std::abs(low), std::abs(high)) + wrong;
    pivot_squares += square(std::min(by_pivot, by_range) + u * largest_of_plane);
    magnitude = std::max(magnitude, largest_of_plane);
    const double range = high - low + 2 * wrong;
    if (!(static_cast<double>(area) * square(range) < largest / 2)) result.may_be_nan = true;
  }
  const double deviation = std::sqrt(squares / count);
  const double wrong = std::sqrt(error_squares / count);
  const double from_pivot = std::sqrt(pivot_squares / static_cast<double>(channels));
  const double g1 = gamma(moments.chain + 1);
  const double g3 = gamma(moments.chain + 3);
  const double of_double = moments.relative * magnitude;
  result.deviation = std::sqrt(square(deviation) + shape.eps);
  const double of_mean = g1 * from_pivot + of_double + moments.absolute + smallest;
  result.mean_error = error_sum / count + of_mean;
  const double high = deviation + wrong;
  const double low = std::max(0.0, deviation - wrong);
  const double absolute =
      4 * moments.absolute + smallest + square(of_double) + 8 * g3 * square(u * magnitude);
  const double of_variance = 3 * g3 * square(from_pivot) + 2 * g1 * high * from_pivot +
                             square(g1 * from_pivot) + 0x1p-40 * square(high) + absolute;
  result.deviation_low = std::sqrt(std::max(0.0, square(low) - of_variance) + shape.eps);
  result.deviation_high = std::sqrt(square(high) + of_variance + shape.eps);
  const double relative = 8 * g3 * (1 + moments.distance);
  result.is_capped = relative <= 0.25 && absolute <= shape.eps / 4;
  if (!std::isfinite(error_sum)) {
    result.mean_error = infinity;
    result.deviation_low = std::sqrt(shape.eps);
    result.deviation_high = infinity;
  }
  return result;
}

struct ElementBound {
  ElementResult result = ElementResult::near;
  double error = 0;
};

/// NUMERICS.md, "The normalisation".
/// \param weight, bias of group_norm
/// \param s, error of the element's activation
/// \param elements_root square root of the group's number of elements
ElementBound element_bound(const Arithmetic& arithmetic, const GroupError& group, double weight,
                           double bias, double s, double error, double elements_root) {
  if (std::isnan(weight) || std::isnan(bias)) return {ElementResult::nan};
  if (std::isinf(weight)) return {ElementResult::not_finite};
  if (arithmetic.on_tensor_cores() &&
      !(std::abs(weight) < nearly * largest * group.deviation_low)) {
    return {ElementResult::any};
  }
  const double distance = std::abs(s - group.mean);
  const double of_distance = error + group.mean_error;
  const double of_deviation = std::max(1 / group.deviation_low - 1 / group.deviation,
                                       1 / group.deviation - 1 / group.deviation_high);
  double of_quotient = of_distance / group.deviation_low + distance * of_deviation;
  double quotient = (distance + of_distance) / group.deviation_low;
  if (group.is_capped) {
    of_quotient = std::min(of_quotient, 1.5 * elements_root + distance / group.deviation);
    quotient = std::min(quotient, 1.5 * elements_root);
  }
  const double of_mean =
      u * (std::abs(group.mean) + (std::isfinite(group.mean_error) ? group.mean_error : 0)) /
      group.deviation_low;
  const double product = std::abs(weight) * (quotient + of_mean);
  if (!(product < nearly * largest)) return {ElementResult::any};
  if (std::isinf(bias)) return {ElementResult::infinite};
  if (!(product + std::abs(bias) < nearly * largest)) return {ElementResult::any};
  return {ElementResult::near, std::abs(weight) * of_quotient +
                                   gamma(5) * (product + std::abs(bias)) +
                                   smallest * (4 + distance + of_distance)};
}

/// Whether all activations are the same number by construction: no product is anything but 0.
bool is_constant(const Reference& reference, std::int64_t group_of_all) {
  const Problem& problem = reference.problem;
  const Shape& shape = problem.shape;
  const std::int64_t channels = shape.channels_per_norm_group();
  const std::int64_t first = group_of_all % shape.num_groups * channels;
  for (std::int64_t o = first; o < first + channels; ++o) {
    if (parameter(problem.conv_bias, o, 0) != parameter(problem.conv_bias, first, 0) ||
        parameter(problem.bias, o, 0) != parameter(problem.bias, first, 0) ||
        parameter(problem.scale, o, 1) != parameter(problem.scale, first, 1)) {
      return false;
    }
  }
  const std::int64_t size = channels * shape.output_area();
  const auto begin = reference.sums.begin() + group_of_all * size;
  return std::all_of(begin, begin + size, [](const ConvolutionSum& sum) {
    return sum.magnitude == 0 && sum.value == 0;
  });
}

double largest_magnitude(const float* values, std::int64_t count) {
  double most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (std::isfinite(values[i])) most = std::max<double>(most, std::abs(values[i]));
  }
  return most;
}

}  // namespace

Reference::Reference(const Problem& of) : problem(of) {
  const Shape& shape = problem.shape;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t o = 0; o < shape.out_channels; ++o) {
      for (std::int64_t i = 0; i < shape.output_height(); ++i) {
        for (std::int64_t j = 0; j < shape.output_width(); ++j) {
          sums.push_back(sum_of(problem, n, o, i, j));
        }
      }
    }
  }
  activations = activation(problem, convolution(problem));
  y = group_norm(problem, activations);
  const std::int64_t of_group = shape.in_channels_per_group() * shape.height * shape.width;
  for (std::int64_t group = 0; group < shape.batch * shape.groups; ++group) {
    largest_input.push_back(largest_magnitude(&problem.input[group * of_group], of_group));
  }
  const std::int64_t taps = shape.in_channels_per_group() * shape.kernel_area();
  for (std::int64_t o = 0; o < shape.out_channels; ++o) {
    largest_weight.push_back(largest_magnitude(&problem.conv_weight[o * taps], taps));
  }
}

ErrorBound error_bound(const Reference& reference, const Arithmetic& arithmetic) {
  const Problem& problem = reference.problem;
  const Shape& shape = problem.shape;
  const std::int64_t area = shape.output_area();
  const std::int64_t group_size = shape.channels_per_norm_group() * area;
  const MomentsArithmetic moments = moments_arithmetic(shape, arithmetic);
  const double elements_root = std::sqrt(static_cast<double>(group_size));

  ErrorBound bound;
  bound.error.resize(reference.y.size());
  bound.element.resize(reference.y.size(), ElementResult::near);
  std::vector<double> errors(static_cast<std::size_t>(group_size));
  for (std::int64_t g = 0; g < shape.batch * shape.num_groups; ++g) {
    const std::int64_t begin = g * group_size;
    bool is_nan = false;
    bool may_be_nan = false;
    for (std::int64_t k = 0; k < group_size; ++k) {
      const std::int64_t index = begin + k;
      const std::int64_t o = index / area % shape.out_channels;
      const std::int64_t n = index / area / shape.out_channels;
      const Argument argument = argument_of(reference, arithmetic, reference.sums[index], n, o);
      const double s = reference.activations[index];
      const Activated of = std::isnan(argument.value)
                               ? Activated{0, argument.may_be_nan}
                               : activation_error(shape.activation, argument, s);
      // Settled: every way to compute it is not a number, or infinite.
      is_nan |= !std::isfinite(s) && !of.may_be_nan;
      may_be_nan |= of.may_be_nan;
      errors[k] = of.error;
    }
    const double* const s = &reference.activations[begin];
    const bool is_unknown =
        std::any_of(s, s + group_size, [](double value) { return !std::isfinite(value); });
    GroupError group;
    if (!is_unknown) {
      group = group_error(shape, moments, s, errors.data());
      may_be_nan |= group.may_be_nan;
    }
    bound.group.push_back(is_nan       ? GroupResult::nan
                          : may_be_nan ? GroupResult::numbers_or_nan
                                       : GroupResult::numbers);
    const bool has_no_variance = !is_nan && !is_unknown && is_constant(reference, g);
    for (std::int64_t k = 0; k < group_size; ++k) {
      const std::int64_t index = begin + k;
      const std::int64_t o = index / area % shape.out_channels;
      const ElementBound of_element =
          element_bound(arithmetic, group, parameter(problem.group_norm_weight, o, 1),
                        parameter(problem.group_norm_bias, o, 0), s[k], errors[k], elements_root);
      bound.element[index] = is_unknown && of_element.result != ElementResult::nan &&
                                     of_element.result != ElementResult::not_finite
                                 ? ElementResult::any
                                 : of_element.result;
      bound.error[index] = of_element.error;
      // What is promised of a group without variance: exactly group_norm.bias.
      if (has_no_variance && !arithmetic.on_tensor_cores() && std::isfinite(reference.y[index])) {
        bound.element[index] = ElementResult::near;
        bound.error[index] = 0;
      }
    }
  }
  return bound;
}

Comparison compare(const Reference& reference, const ErrorBound& bound,
                   const std::vector<float>& y) {
  const Shape& shape = reference.problem.shape;
  const std::int64_t group_size = shape.channels_per_norm_group() * shape.output_area();
  Comparison result;
  const auto violate = [&](std::int64_t index) {
    if (result.violation < 0) result.violation = index;
  };
  for (std::int64_t g = 0; g < static_cast<std::int64_t>(bound.group.size()); ++g) {
    const auto begin = y.begin() + g * group_size;
    const auto is_nan = [](float value) { return std::isnan(value); };
    if (bound.group[g] == GroupResult::nan || (bound.group[g] == GroupResult::numbers_or_nan &&
                                               std::all_of(begin, begin + group_size, is_nan))) {
      const auto number = std::find_if_not(begin, begin + group_size, is_nan);
      if (number != begin + group_size) violate(number - y.begin());
      continue;
    }
    for (std::int64_t index = g * group_size; index < (g + 1) * group_size; ++index) {
      const double expected = reference.y[index];
      switch (bound.element[index]) {
        case ElementResult::near: {
          const double error = std::abs(y[index] - expected);
          // A NaN fails as well.
          if (!(error <= bound.error[index])) violate(index);
          if (bound.error[index] > 0 && std::isfinite(bound.error[index]) &&
              error / bound.error[index] > result.worst_ratio) {
            result.worst_ratio = error / bound.error[index];
          }
          break;
        }
        case ElementResult::nan:
          if (!std::isnan(y[index])) violate(index);
          break;
        case ElementResult::not_finite:
          if (std::isfinite(y[index])) violate(index);
          break;
        case ElementResult::infinite:
          if (y[index] != expected) violate(index);
          break;
        case ElementResult::any:
          break;
      }
    }
  }
  return result;
}

}  // namespace fusedconv::test
