// SPDX-License-Identifier: Apache-2.0
#include "random_case.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

namespace fusedconv::test {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Random numbers whose bits no standard library decides but the engine's, which is standardised.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}

  std::int64_t integer(std::int64_t least, std::int64_t most) {
    return least +
           static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most - least + 1));
  }
  bool one_in(std::int64_t n) { return integer(1, n) == 1; }
  template <class Value>
  Value of(std::initializer_list<Value> values) {
    return values.begin()[integer(0, static_cast<std::int64_t>(values.size()) - 1)];
  }
  /// In [0, 1).
  float uniform() { return static_cast<float>(engine_() >> 40) * 0x1p-24F; }
  float uniform(float least, float most) { return least + (most - least) * uniform(); }
  float sign() { return one_in(2) ? -1.0F : 1.0F; }
  /// Mean 0 and variance 1: the sum of 12 uniform numbers.
  float normal() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }
  /// Of either sign, its exponent uniform.
  float of_exponents(int least, int most) {
    return sign() * std::ldexp(1 + uniform(), static_cast<int>(integer(least, most)));
  }
  float denormal() {
    return sign() * std::bit_cast<float>(static_cast<std::uint32_t>(integer(1, 0x7FFFFF)));
  }
  std::size_t index_of(const std::vector<float>& values) {
    return static_cast<std::size_t>(integer(0, static_cast<std::int64_t>(values.size()) - 1));
  }
  std::int64_t divisor_of(std::int64_t number) {
    std::vector<std::int64_t> divisors;
    for (std::int64_t d = 1; d <= number; ++d) {
      if (number % d == 0) divisors.push_back(d);
    }
    return divisors[integer(0, static_cast<std::int64_t>(divisors.size()) - 1)];
  }

 private:
  std::mt19937_64 engine_;
};

/// Values of one kind for a tensor.
struct Kind {
  const char* name;
  /// \param run as many consecutive values as belong together: a plane, the weights of a channel
  void (*fill)(Draw& draw, std::vector<float>& values, std::int64_t run);
};

template <class Value>
void fill_with(std::vector<float>& values, const Value& value) {
  for (float& v : values) v = value();
}

void fill_uniform(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.uniform(); });
}
void fill_normal(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.normal(); });
}
void fill_fan_in(Draw& draw, std::vector<float>& values, std::int64_t run) {
  const float bound = 1 / std::sqrt(static_cast<float>(run));
  fill_with(values, [&] { return draw.uniform(-bound, bound); });
}
void fill_around_one(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.uniform(0.5F, 1.5F); });
}
void fill_any_magnitude(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.of_exponents(-126, 127); });
}
void fill_wide(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.of_exponents(-24, 24); });
}
void fill_denormal(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.denormal(); });
}
void fill_zero(Draw&, std::vector<float>& values, std::int64_t) {
  fill_with(values, [] { return 0.0F; });
}
void fill_constant(Draw& draw, std::vector<float>& values, std::int64_t) {
  const float value = draw.normal();
  fill_with(values, [&] { return value; });
}
void fill_constant_runs(Draw& draw, std::vector<float>& values, std::int64_t run) {
  float value = 0;
  std::int64_t i = 0;
  fill_with(values, [&] { return value = i++ % run == 0 ? draw.normal() : value; });
}
void fill_far(Draw& draw, std::vector<float>& values, std::int64_t) {
  const float center = draw.sign() * draw.of({4.0F, 7.0F, 10.0F, 100.0F});
  fill_with(values, [&] { return center + 0.01F * draw.normal(); });
}
void fill_steep(Draw& draw, std::vector<float>& values, std::int64_t) {
  const float magnitude = draw.of({30.0F, 120.0F, 1e4F, 1e16F, 1e25F, 1e30F});
  fill_with(values, [&] { return magnitude * draw.normal(); });
}
void fill_flat(Draw& draw, std::vector<float>& values, std::int64_t) {
  const float magnitude = draw.of({1e-4F, 1e-10F, 1e-20F, 1e-30F, 1e-38F});
  fill_with(values, [&] { return magnitude * draw.normal(); });
}
void fill_huge(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.uniform(-3.4e38F, 3.4e38F); });
}
void fill_largest(Draw& draw, std::vector<float>& values, std::int64_t) {
  fill_with(values, [&] { return draw.sign() * 3e38F; });
}
void fill_hot(Draw& draw, std::vector<float>& values, std::int64_t) {
  const float background = draw.one_in(2) ? 0.0F : draw.normal();
  fill_with(values, [&] { return background; });
  values[draw.index_of(values)] = draw.of_exponents(-30, 127);
}
void fill_hot_on_noise(Draw& draw, std::vector<float>& values, std::int64_t run) {
  fill_uniform(draw, values, run);
  values[draw.index_of(values)] = draw.of_exponents(-30, 127);
}
void put_in_noise(Draw& draw, std::vector<float>& values, std::int64_t run, float value) {
  fill_fan_in(draw, values, run);
  for (std::int64_t n = draw.integer(1, 2); n > 0; --n) {
    values[draw.index_of(values)] = value * draw.sign();
  }
}
void fill_with_infinity(Draw& draw, std::vector<float>& values, std::int64_t run) {
  put_in_noise(draw, values, run, infinity);
}
void fill_with_nan(Draw& draw, std::vector<float>& values, std::int64_t run) {
  put_in_noise(draw, values, run, nan);
}

// The ordinary kind comes first.
constexpr Kind input_kinds[] = {{"uniform", fill_uniform},
                                {"normal", fill_normal},
                                {"of any magnitude", fill_any_magnitude},
                                {"of exponents -24 to 24", fill_wide},
                                {"denormal", fill_denormal},
                                {"zero", fill_zero},
                                {"constant", fill_constant},
                                {"constant planes", fill_constant_runs},
                                {"far from 0", fill_far},
                                {"huge", fill_huge},
                                {"+-3e38", fill_largest},
                                {"one hot pixel on a constant", fill_hot},
                                {"one hot pixel", fill_hot_on_noise},
                                {"with infinities", fill_with_infinity},
                                {"with NaN", fill_with_nan}};
constexpr Kind weight_kinds[] = {{"uniform", fill_fan_in},
                                 {"normal", fill_normal},
                                 {"of any magnitude", fill_any_magnitude},
                                 {"of exponents -24 to 24", fill_wide},
                                 {"denormal", fill_denormal},
                                 {"zero", fill_zero},
                                 {"constant", fill_constant},
                                 {"constant channels", fill_constant_runs},
                                 {"small", fill_flat},
                                 {"large", fill_steep},
                                 {"+-3e38", fill_largest},
                                 {"one that is not like the others", fill_hot},
                                 {"with infinities", fill_with_infinity},
                                 {"with NaN", fill_with_nan}};
constexpr Kind bias_kinds[] = {{"normal", fill_normal},     {"zero", fill_zero},
                               {"constant", fill_constant}, {"far from 0", fill_far},
                               {"large", fill_steep},       {"denormal", fill_denormal},
                               {"+-3e38", fill_largest},    {"with infinities", fill_with_infinity},
                               {"with NaN", fill_with_nan}};
constexpr Kind scale_kinds[] = {{"normal", fill_normal},
                                {"zero", fill_zero},
                                {"constant", fill_constant},
                                {"far from 0", fill_far},
                                {"large", fill_steep},
                                {"small", fill_flat},
                                {"of any magnitude", fill_any_magnitude},
                                {"denormal", fill_denormal},
                                {"huge", fill_huge},
                                {"with infinities", fill_with_infinity},
                                {"with NaN", fill_with_nan}};
constexpr Kind group_norm_weight_kinds[] = {{"around 1", fill_around_one},
                                            {"zero", fill_zero},
                                            {"large", fill_steep},
                                            {"small", fill_flat},
                                            {"denormal", fill_denormal},
                                            {"+-3e38", fill_largest},
                                            {"with infinities", fill_with_infinity},
                                            {"with NaN", fill_with_nan}};

std::int64_t terms_of(const Shape& shape) {
  return shape.output_size() * shape.in_channels_per_group() * shape.kernel_area();
}

/// Input pixels for an output of about so many.
std::int64_t input_extent(Draw& draw, const Shape& shape, int axis, std::int64_t output) {
  const std::int64_t reach = shape.dilation[axis] * (shape.kernel_size[axis] - 1) + 1;
  return std::max<std::int64_t>(1, (output - 1) * shape.stride[axis] + reach -
                                       2 * shape.padding[axis] +
                                       draw.integer(0, shape.stride[axis] - 1));
}

bool is_valid(const Shape& shape) {
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t extent = axis == 0 ? shape.height : shape.width;
    const std::int64_t reach = shape.dilation[axis] * (shape.kernel_size[axis] - 1) + 1;
    if (extent + 2 * shape.padding[axis] < reach) return false;
  }
  return true;
}

/// Small extents with everything that a convolution may have.
Shape any_shape(Draw& draw) {
  Shape shape;
  const bool is_square = draw.one_in(2);
  for (int axis = 0; axis < 2; ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    if (axis == 1 && is_square) {
      shape.kernel_size[1] = shape.kernel_size[0];
      shape.stride[1] = shape.stride[0];
      shape.padding[1] = shape.padding[0];
      shape.dilation[1] = shape.dilation[0];
      continue;
    }
    shape.kernel_size[at] = draw.of({1, 2, 3, 3, 3, 3, 4, 5, 7});
    shape.stride[at] = draw.of({1, 1, 1, 1, 2, 3});
    shape.dilation[at] = draw.of({1, 1, 1, 1, 2, 3});
    const std::int64_t reach = shape.dilation[at] * (shape.kernel_size[at] - 1) + 1;
    shape.padding[at] = draw.one_in(2) ? 0 : draw.integer(0, reach);
  }
  shape.batch = draw.of({1, 1, 1, 2, 3});
  shape.groups = draw.of({1, 1, 1, 1, 2, 3, 8});
  const bool is_depthwise = shape.groups == 8 && draw.one_in(2);
  shape.in_channels = shape.groups * (is_depthwise ? 1 : draw.integer(1, draw.one_in(6) ? 70 : 9));
  shape.out_channels =
      shape.groups * (is_depthwise ? draw.integer(1, 2) : draw.integer(1, draw.one_in(6) ? 70 : 9));
  shape.height = input_extent(draw, shape, 0, draw.integer(1, draw.one_in(4) ? 40 : 12));
  shape.width = input_extent(draw, shape, 1, draw.integer(1, draw.one_in(4) ? 150 : 20));
  return shape;
}

/// Shapes that kernels are made for: 3 x 3 and 1 x 1 over rows of 64 pixels and more.
Shape usual_shape(Draw& draw) {
  Shape shape;
  const std::int64_t kernel = draw.of({1, 3, 3, 5});
  shape.kernel_size = {kernel, kernel};
  shape.padding = draw.one_in(2) ? HeightWidth{0, 0} : HeightWidth{kernel / 2, kernel / 2};
  shape.batch = draw.of({1, 2});
  shape.in_channels = draw.one_in(2) ? draw.integer(1, 8) : 8 * draw.integer(2, 6);
  shape.out_channels = draw.one_in(2) ? draw.integer(1, 32) : 8 * draw.integer(4, 12);
  shape.height = input_extent(draw, shape, 0, draw.integer(3, 12));
  shape.width = input_extent(draw, shape, 1,
                             draw.one_in(2) ? 4 * draw.integer(14, 34) : draw.integer(60, 140));
  return shape;
}

Shape random_shape(Draw& draw) {
  // Most are so small that thousands take seconds, and some larger.
  const bool is_large = draw.one_in(32);
  const std::int64_t most_terms = is_large ? 1000000 : 60000;
  for (;;) {
    Shape shape = is_large || draw.one_in(8) ? usual_shape(draw) : any_shape(draw);
    if (!is_valid(shape) || terms_of(shape) > most_terms) continue;
    shape.num_groups = draw.divisor_of(shape.out_channels);
    shape.activation =
        draw.one_in(2) ? Activation::sigmoid
                       : draw.of({Activation::relu, Activation::silu, Activation::gelu,
                                  Activation::gelu_tanh, Activation::tanh, Activation::identity});
    return shape;
  }
}

/// Fills the tensors of a case, and writes down how.
class Filler {
 public:
  Filler(Draw& draw, RandomCase& random) : draw_(draw), case_(random) {}

  template <std::size_t kinds>
  void fill(const char* name, std::vector<float>& values, std::int64_t size, std::int64_t run,
            const Kind (&kind_list)[kinds], bool is_extreme) {
    const Kind& kind = is_extreme
                           ? kind_list[draw_.integer(1, static_cast<std::int64_t>(kinds) - 1)]
                           : kind_list[0];
    values.resize(static_cast<std::size_t>(size));
    kind.fill(draw_, values, run);
    note(name, kind.name);
  }

  void note(const char* name, const std::string& value) {
    case_.description += std::string(case_.description.empty() ? "" : ", ") + name + " " + value;
  }

 private:
  Draw& draw_;
  RandomCase& case_;
};

/// The same layer in other units: x and the weights are times powers of two, which scale undoes.
void change_units(Problem& problem, int of_input, int of_weights) {
  const auto multiply = [](std::vector<float>& values, int exponent) {
    for (float& value : values) value = std::ldexp(value, exponent);
  };
  multiply(problem.input, of_input);
  multiply(problem.conv_weight, of_weights);
  multiply(problem.conv_bias, of_input + of_weights);
  multiply(problem.bias, of_input + of_weights);
  if (problem.scale.empty()) {
    problem.scale.assign(static_cast<std::size_t>(problem.shape.out_channels), 1.0F);
  }
  multiply(problem.scale, -of_input - of_weights);
}

}  // namespace

RandomCase random_case(std::uint64_t seed) {
  Draw draw(seed);
  RandomCase random;
  Problem& problem = random.problem;
  problem.shape = random_shape(draw);
  Shape& shape = problem.shape;
  random.is_ordinary = draw.one_in(2);

  // Which of the seven tensors are extreme: one or two, or each with an even chance.
  bool is_extreme[7] = {};
  if (!random.is_ordinary) {
    if (draw.one_in(4)) {
      for (bool& is : is_extreme) is = draw.one_in(2);
    }
    is_extreme[draw.one_in(2) ? draw.integer(0, 1) : draw.integer(0, 6)] = true;
    if (draw.one_in(2)) is_extreme[draw.integer(0, 6)] = true;
  }
  Filler filler(draw, random);
  const std::int64_t taps = shape.in_channels_per_group() * shape.kernel_area();
  const std::int64_t channels = shape.out_channels;
  filler.fill("input", problem.input, shape.input_size(), shape.height * shape.width, input_kinds,
              is_extreme[0]);
  filler.fill("conv.weight", problem.conv_weight, shape.weight_size(), taps, weight_kinds,
              is_extreme[1]);
  struct Vector {
    const char* name;
    std::vector<float>& values;
  };
  const auto fill_vector = [&](const Vector& vector, const auto& kinds, bool extreme) {
    if (!extreme && draw.one_in(6)) return filler.note(vector.name, "absent");
    filler.fill(vector.name, vector.values, channels, 1, kinds, extreme);
  };
  fill_vector({"conv.bias", problem.conv_bias}, bias_kinds, is_extreme[2]);
  fill_vector({"bias", problem.bias}, bias_kinds, is_extreme[3]);
  fill_vector({"scale", problem.scale}, scale_kinds, is_extreme[4]);
  fill_vector({"group_norm.weight", problem.group_norm_weight}, group_norm_weight_kinds,
              is_extreme[5]);
  fill_vector({"group_norm.bias", problem.group_norm_bias}, bias_kinds, is_extreme[6]);

  if (random.is_ordinary && draw.one_in(6)) {
    const int of_input = static_cast<int>(draw.integer(-40, 40));
    const int of_weights = static_cast<int>(draw.integer(-40, 40));
    change_units(problem, of_input, of_weights);
    filler.note("units", "2^" + std::to_string(of_input) + " and 2^" + std::to_string(of_weights));
  }
  if (draw.one_in(4)) {
    shape.eps = random.is_ordinary ? draw.of({1e-3, 0.5, 1e-8, 1e-12})
                                   : draw.of({1e-8, 1e-12, 1e-20, 1e-30, 1e-45, 1e-300, 1.0, 1e30});
  }

  random.views = draw.of({CallersViews::layout_right, CallersViews::strided,
                          CallersViews::rank_three, CallersViews::part_of_larger});
  if (random.views == CallersViews::rank_three && shape.batch != 1) {
    random.views = CallersViews::layout_right;
  }
  return random;
}

}  // namespace fusedconv::test
