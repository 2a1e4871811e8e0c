// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_RANDOM_LAYER_HPP
#define FUSEDCONV_APP_RANDOM_LAYER_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/shape.hpp>

namespace fusedconv::app {

/// The values of a tensor, each computed from its index alone: any part of the tensor can be made
/// in any order, by any thread, on any backend.
class RandomTensor {
 public:
  static RandomTensor constant(float value) { return {Distribution::constant, value, 0}; }
  /// In [0, 1).
  static RandomTensor uniform(std::uint64_t key) { return {Distribution::uniform, 1.0f, key}; }
  /// In [-bound, bound).
  static RandomTensor symmetric_uniform(float bound, std::uint64_t key) {
    return {Distribution::symmetric_uniform, bound, key};
  }
  static RandomTensor standard_normal(std::uint64_t key) {
    return {Distribution::standard_normal, 1.0f, key};
  }

  KOKKOS_FUNCTION float operator()(std::int64_t index) const {
    const auto counter = 2 * static_cast<std::uint64_t>(index);
    // The 24 bits that a float holds: 1 itself does not come up. All but the last product is exact.
    const auto unit = static_cast<float>(random_bits(counter) >> 40) * 0x1p-24f;
    switch (distribution_) {
      case Distribution::uniform:
        return unit * magnitude_;
      case Distribution::symmetric_uniform:
        return (2.0f * unit - 1.0f) * magnitude_;
      case Distribution::standard_normal: {
        // Box and Muller (1958); the radius is of a number in (0, 1].
        const double radius = static_cast<double>((random_bits(counter) >> 11) + 1) * 0x1p-53;
        const double turn = static_cast<double>(random_bits(counter + 1) >> 11) * 0x1p-53;
        return static_cast<float>(Kokkos::sqrt(-2.0 * Kokkos::log(radius)) *
                                  Kokkos::cos(2.0 * Kokkos::numbers::pi * turn));
      }
      default:
        return magnitude_;
    }
  }

 private:
  enum class Distribution { constant, uniform, symmetric_uniform, standard_normal };

  RandomTensor(Distribution distribution, float magnitude, std::uint64_t key)
      : distribution_(distribution), magnitude_(magnitude), key_(key) {}

  /// SplitMix64 (Steele, Lea and Flood, 2014), whose state is a counter.
  KOKKOS_FUNCTION std::uint64_t random_bits(std::uint64_t counter) const {
    std::uint64_t z = key_ + (counter + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  Distribution distribution_ = Distribution::constant;
  float magnitude_ = 0;
  std::uint64_t key_ = 0;
};

/// A layer and its input as a PyTorch module starts: input uniform in [0, 1), conv.weight and
/// conv.bias uniform in +-1/sqrt(fan in) (torch.nn.Conv2d), bias and scale standard normal,
/// group_norm the identity.
struct RandomLayer {
  /// \param seed every tensor has its own sequence for each
  RandomLayer(const Shape& shape, std::uint64_t seed);

  RandomTensor input;
  RandomTensor conv_weight;
  RandomTensor conv_bias;
  RandomTensor bias;
  RandomTensor scale;
  RandomTensor group_norm_weight;
  RandomTensor group_norm_bias;
};

}  // namespace fusedconv::app

#endif
