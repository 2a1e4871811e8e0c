// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_FLOAT16_HPP
#define FUSEDCONV_FLOAT16_HPP

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/element_type.hpp>
#include <type_traits>

namespace fusedconv {

/// The bits of a float16 as PyTorch, NumPy and devices store it. Kokkos's half_t will do as well
/// where Kokkos has 16 bits for it; in builds for hosts alone it is a float.
struct Float16 {
  std::uint16_t bits;
};

/// The bits of a bfloat16, likewise.
struct BFloat16 {
  std::uint16_t bits;
};

/// The value, exactly.
KOKKOS_INLINE_FUNCTION float to_float32(Float16 value) {
  // The exponent's bias is 127 - 15 larger in a float32: a product, so that subnormal numbers need
  // no case of their own.
  const std::uint32_t magnitude = value.bits & 0x7FFFU;
  const float scaled = Kokkos::bit_cast<float>(magnitude << 13) * 0x1p112f;
  std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(scaled);
  if (magnitude >= 0x7C00U) bits |= 0x7F800000U;
  return Kokkos::bit_cast<float>(bits | (value.bits & 0x8000U) << 16);
}
KOKKOS_INLINE_FUNCTION float to_float32(BFloat16 value) {
  return Kokkos::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

/// The nearest float16, ties to even; infinity from 65520 on. NaN stays NaN.
///
/// All cases are computed and one is chosen, without a branch, so that compilers vectorise it.
KOKKOS_INLINE_FUNCTION Float16 to_float16(float value) {
  const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  // The exponent's bias becomes 15, and half a unit of the last of 10 bits is added, less one where
  // the value is even; what overflows carries into the exponent.
  const std::uint32_t odd = magnitude >> 13 & 1U;
  const std::uint32_t normal = (magnitude - (112U << 23) + 0xFFFU + odd) >> 13;
  // The unit in the last place of 0.5 is 2^-24, as is that of a subnormal float16: the addition
  // rounds.
  const std::uint32_t subnormal =
      Kokkos::bit_cast<std::uint32_t>(Kokkos::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000U;
  const std::uint32_t nan = 0x7E00U | (magnitude >> 13 & 0x1FFU);
  std::uint32_t result = magnitude < 113U << 23 ? subnormal : normal;
  result = magnitude >= 143U << 23 ? 0x7C00U : result;
  result = magnitude > 0x7F800000U ? nan : result;
  return {static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | result)};
}

/// The nearest bfloat16, ties to even. NaN stays NaN.
KOKKOS_INLINE_FUNCTION BFloat16 to_bfloat16(float value) {
  const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
  const std::uint32_t nan = bits >> 16 | 0x40U;
  return {static_cast<std::uint16_t>((bits & 0x7FFFFFFFU) > 0x7F800000U ? nan : rounded)};
}

namespace detail {

template <class Element>
inline constexpr bool is_float16 = std::is_same_v<Element, Float16> ||
                                   (std::is_same_v<Element, Kokkos::Experimental::half_t> &&
                                    sizeof(Element) == 2);

template <class Element>
inline constexpr bool is_bfloat16 = std::is_same_v<Element, BFloat16> ||
                                    (std::is_same_v<Element, Kokkos::Experimental::bhalf_t> &&
                                     sizeof(Element) == 2);

/// float, or one of the 16-bit types.
template <class Element>
inline constexpr bool is_element =
    std::is_same_v<Element, float> || is_float16<Element> || is_bfloat16<Element>;

template <class Element>
inline constexpr ElementType element_type_of = is_float16<Element>    ? ElementType::float16
                                               : is_bfloat16<Element> ? ElementType::bfloat16
                                                                      : ElementType::float32;

/// Elements of 16 bits to float32.
template <class From>
struct ToFloat32 {
  const From* from;
  float* to;

  KOKKOS_FUNCTION void operator()(const std::int64_t i) const { to[i] = to_float32(from[i]); }
};

/// Converts `count` contiguous elements of 16 bits; asynchronous on exec.
template <class From, class ExecutionSpace>
void convert_to_float32(const ExecutionSpace& exec, const void* from, std::int64_t count,
                        float* to) {
  Kokkos::parallel_for(
      "fusedconv::to_float32",
      Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(exec, 0, count),
      ToFloat32<From>{static_cast<const From*>(from), to});
}

}  // namespace detail

/// A float32 copy of a View of 16-bit elements, for Parameters.
/// \param exec where to convert; fenced before returning
/// \param view of rank 1 or 4, LayoutRight, contiguous and accessible from exec
/// \return a new View of the same extents in the same memory space
template <class ExecutionSpace, class View>
auto to_float32(const ExecutionSpace& exec, const View& view) {
  using Element = typename View::non_const_value_type;
  static_assert(detail::is_float16<Element> || detail::is_bfloat16<Element>,
                "fusedconv::to_float32: the View must hold 16-bit floating-point numbers");
  static_assert(View::rank() == 1 || View::rank() == 4,
                "fusedconv::to_float32: the View must have rank 1 or 4");
  static_assert(std::is_same_v<typename View::array_layout, Kokkos::LayoutRight>,
                "fusedconv::to_float32: the View must be LayoutRight");
  using Bits = std::conditional_t<detail::is_float16<Element>, Float16, BFloat16>;
  using Converted = Kokkos::View<std::conditional_t<View::rank() == 1, float*, float****>,
                                 Kokkos::LayoutRight, typename View::memory_space>;
  const auto allocation = Kokkos::view_alloc(exec, Kokkos::WithoutInitializing, view.label());
  Converted converted;
  if constexpr (View::rank() == 1) {
    converted = Converted(allocation, view.extent(0));
  } else {
    converted =
        Converted(allocation, view.extent(0), view.extent(1), view.extent(2), view.extent(3));
  }
  detail::convert_to_float32<Bits>(exec, view.data(), static_cast<std::int64_t>(view.size()),
                                   converted.data());
  exec.fence("fusedconv::to_float32: the caller's View is free again");
  return converted;
}

}  // namespace fusedconv

#endif
