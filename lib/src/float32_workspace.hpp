// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_FLOAT32_WORKSPACE_HPP
#define FUSEDCONV_SRC_FLOAT32_WORKSPACE_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <fusedconv/element_type.hpp>
#include <fusedconv/float16.hpp>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>

#include "allocate.hpp"
#include "team.hpp"

namespace fusedconv::detail {

inline std::int64_t element_bytes(ElementType type) { return type == ElementType::float32 ? 4 : 2; }

/// float32 to elements of 16 bits.
struct FromFloat32 {
  const float* from;
  std::uint16_t* to;
  ElementType type;

  KOKKOS_FUNCTION void operator()(const std::int64_t i) const {
    to[i] = type == ElementType::float16 ? to_float16(from[i]).bits : to_bfloat16(from[i]).bits;
  }
};

/// Some images of x and y as float32, for runs whose elements have 16 bits: as many at a time as
/// the memory set aside for it holds. No bit of the result depends on how many.
template <class ExecutionSpace>
class Float32Workspace {
 public:
  /// Elements of 16 bits on one side or both.
  static bool is_needed(const Options& options) {
    return options.input_type != ElementType::float32 ||
           options.output_type != ElementType::float32;
  }

  static std::int64_t images_at_once(const Shape& shape, const Options& options) {
    // On a host what the caches hold; a device wants much to do at once.
    constexpr std::int64_t budget = (runs_on_host<ExecutionSpace> ? 16 : 512) * 1024 * 1024;
    const std::int64_t image_bytes = 4 * floats(shape.with_batch(1), options);
    return std::clamp<std::int64_t>(budget / std::max<std::int64_t>(1, image_bytes), 1,
                                    shape.batch);
  }

  /// 0 where it is not needed.
  static std::int64_t bytes(const Shape& shape, const Options& options) {
    return 4 * floats(shape.with_batch(images_at_once(shape, options)), options);
  }

  Float32Workspace(const ExecutionSpace& exec, const Shape& shape, const Options& options)
      : input_type_(options.input_type),
        output_type_(options.output_type),
        images_at_once_(images_at_once(shape, options)),
        input_image_(shape.with_batch(1).input_size()),
        output_image_(shape.with_batch(1).output_size()) {
    if (input_type_ != ElementType::float32) {
      x_ = allocate<Floats>(exec, "input as float32", images_at_once_ * input_image_);
    }
    if (output_type_ != ElementType::float32) {
      y_ = allocate<Floats>(exec, "output as float32", images_at_once_ * output_image_);
    }
  }

  /// Calls run(x, y, images) with float32 images until all are done; asynchronous on exec.
  template <class Run>
  void for_each_part(const ExecutionSpace& exec, const void* x, void* y, std::int64_t images,
                     const Run& run) const {
    for (std::int64_t first = 0; first < images; first += images_at_once_) {
      const std::int64_t count = std::min(images_at_once_, images - first);
      const void* const from =
          static_cast<const char*>(x) + first * input_image_ * element_bytes(input_type_);
      void* const to = static_cast<char*>(y) + first * output_image_ * element_bytes(output_type_);
      if (input_type_ == ElementType::float16) {
        convert_to_float32<Float16>(exec, from, count * input_image_, x_.data());
      } else if (input_type_ == ElementType::bfloat16) {
        convert_to_float32<BFloat16>(exec, from, count * input_image_, x_.data());
      }
      const bool is_output_float = output_type_ == ElementType::float32;
      run(input_type_ == ElementType::float32 ? static_cast<const float*>(from) : x_.data(),
          is_output_float ? static_cast<float*>(to) : y_.data(), count);
      if (!is_output_float) {
        Kokkos::parallel_for("fusedconv::from_float32",
                             Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(
                                 exec, 0, count * output_image_),
                             FromFloat32{y_.data(), static_cast<std::uint16_t*>(to), output_type_});
      }
    }
  }

 private:
  using Floats = Kokkos::View<float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  /// Of the images that are converted.
  static std::int64_t floats(const Shape& shape, const Options& options) {
    return (options.input_type != ElementType::float32 ? shape.input_size() : 0) +
           (options.output_type != ElementType::float32 ? shape.output_size() : 0);
  }

  ElementType input_type_;
  ElementType output_type_;
  std::int64_t images_at_once_;
  std::int64_t input_image_;
  std::int64_t output_image_;
  Floats x_;
  Floats y_;
};

}  // namespace fusedconv::detail

#endif
