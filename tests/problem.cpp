// SPDX-License-Identifier: Apache-2.0
#include "problem.hpp"

#include <cmath>
#include <random>

namespace fusedconv::test {

namespace {

template <class Distribution>
std::vector<float> draw(std::int64_t count, Distribution distribution, std::mt19937_64& engine) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = distribution(engine);
  return values;
}

}  // namespace

Problem random_problem(const Shape& shape, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  const auto fan_in = static_cast<float>(shape.in_channels_per_group() * shape.kernel_area());
  const float bound = 1.0F / std::sqrt(fan_in);
  using Uniform = std::uniform_real_distribution<float>;
  using Normal = std::normal_distribution<float>;

  Problem problem;
  problem.shape = shape;
  problem.input = draw(shape.input_size(), Uniform(0.0F, 1.0F), engine);
  problem.conv_weight = draw(shape.weight_size(), Uniform(-bound, bound), engine);
  problem.conv_bias = draw(shape.out_channels, Uniform(-bound, bound), engine);
  problem.bias = draw(shape.out_channels, Normal(), engine);
  problem.scale = draw(shape.out_channels, Normal(), engine);
  problem.group_norm_weight = draw(shape.out_channels, Uniform(0.5F, 1.5F), engine);
  problem.group_norm_bias = draw(shape.out_channels, Normal(), engine);
  return problem;
}

Problem cut_batch(const Problem& problem, std::int64_t first, std::int64_t count) {
  Problem cut = problem;
  cut.shape = problem.shape.with_batch(count);
  const std::int64_t image = problem.shape.with_batch(1).input_size();
  cut.input.assign(problem.input.begin() + first * image,
                   problem.input.begin() + (first + count) * image);
  return cut;
}

}  // namespace fusedconv::test
