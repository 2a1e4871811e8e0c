// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_FLOAT_VECTOR_HPP
#define FUSEDCONV_SRC_FLOAT_VECTOR_HPP

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace fusedconv::detail {

/// A vector register of the target, as GCC's and Clang's vector extension spells it.
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif
using FloatVector = float __attribute__((vector_size(vector_bytes)));
using IntVector = std::int32_t __attribute__((vector_size(vector_bytes)));
using UnsignedVector = std::uint32_t __attribute__((vector_size(vector_bytes)));
inline constexpr int vector_length = vector_bytes / static_cast<int>(sizeof(float));

/// The integers that hold the bits of a float, or of each of a vector.
template <class Float>
struct BitsOf;
template <>
struct BitsOf<float> {
  using type = std::int32_t;
  using unsigned_type = std::uint32_t;
};
template <>
struct BitsOf<FloatVector> {
  using type = IntVector;
  using unsigned_type = UnsignedVector;
};

/// A vector, or the number itself, of equal elements.
template <class Vector, class Number>
inline Vector broadcast(Number value) {
  if constexpr (sizeof(Vector) == sizeof(Number)) {
    return value;
  } else {
    Vector vector;
    for (int lane = 0; lane < vector_length; ++lane) vector[lane] = value;
    return vector;
  }
}

/// The same in memory, where floats lie.
using UnalignedFloatVector =
    float __attribute__((vector_size(vector_bytes), aligned(alignof(float)), may_alias));

inline FloatVector load(const float* from) {
  return *reinterpret_cast<const UnalignedFloatVector*>(from);
}
inline void store(float* to, FloatVector vector) {
  *reinterpret_cast<UnalignedFloatVector*>(to) = vector;
}

/// A load that stays one instruction. GCC otherwise repeats a load of consecutive numbers as the
/// memory operand of each multiply-add that uses it, and the load units become the bottleneck.
inline FloatVector load_once(const float* from) {
  FloatVector vector = load(from);
#if defined(__x86_64__)
  asm("" : "+v"(vector));
#elif defined(__aarch64__)
  asm("" : "+w"(vector));
#endif
  return vector;
}

/// Calls body with the integral constants 0 to count - 1: what an array is indexed with is then
/// known before the optimiser decides whether the array can live in registers.
template <int count, class Body>
[[gnu::always_inline]] inline void unroll(const Body& body) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, i>{}), ...);
  }
  (std::make_integer_sequence<int, count>{});
}

/// Zero but in lanes begin to end - 1, which keep what they have.
inline FloatVector lanes_between(FloatVector vector, std::int64_t begin, std::int64_t end) {
  IntVector lane;
  for (int i = 0; i < vector_length; ++i) lane[i] = i;
  const IntVector kept = (lane >= broadcast<IntVector>(static_cast<std::int32_t>(begin))) &
                         (lane < broadcast<IntVector>(static_cast<std::int32_t>(end)));
  return std::bit_cast<FloatVector>(std::bit_cast<IntVector>(vector) & kept);
}

/// Whether any bit is set.
inline bool any(IntVector vector) {
  constexpr int words = vector_bytes / static_cast<int>(sizeof(std::uint64_t));
  const auto parts = std::bit_cast<std::array<std::uint64_t, words>>(vector);
  std::uint64_t all = 0;
  for (const std::uint64_t part : parts) all |= part;
  return all != 0;
}

/// Sum of the elements, in pairs.
inline double sum(FloatVector vector) {
  double lanes[vector_length];
  for (int lane = 0; lane < vector_length; ++lane) lanes[lane] = vector[lane];
  for (int half = vector_length / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

}  // namespace fusedconv::detail

#endif
