// SPDX-License-Identifier: Apache-2.0
#include "random_layer.hpp"

#include <cmath>
#include <random>

namespace fusedconv::app {

namespace {

/// Keys of different tensors and seeds are unrelated: consecutive ones would give sequences that
/// are each other's, shifted.
std::uint64_t key(std::uint64_t seed, std::uint64_t tensor) {
  std::mt19937_64 engine(seed);
  engine.discard(tensor);
  return engine();
}

float weight_bound(const Shape& shape) {
  const std::int64_t fan_in = shape.in_channels_per_group() * shape.kernel_area();
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)));
}

}  // namespace

RandomLayer::RandomLayer(const Shape& shape, std::uint64_t seed)
    : input(RandomTensor::uniform(key(seed, 0))),
      conv_weight(RandomTensor::symmetric_uniform(weight_bound(shape), key(seed, 1))),
      conv_bias(RandomTensor::symmetric_uniform(weight_bound(shape), key(seed, 2))),
      bias(RandomTensor::standard_normal(key(seed, 3))),
      scale(RandomTensor::standard_normal(key(seed, 4))),
      group_norm_weight(RandomTensor::constant(1.0f)),
      group_norm_bias(RandomTensor::constant(0.0f)) {}

}  // namespace fusedconv::app
