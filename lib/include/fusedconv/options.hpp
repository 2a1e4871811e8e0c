// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_OPTIONS_HPP
#define FUSEDCONV_OPTIONS_HPP

#include <fusedconv/element_type.hpp>
#include <string_view>

namespace fusedconv {

/// How the convolution is computed.
enum class Algorithm {
  automatic,  ///< the library chooses by shape and execution space
  direct,     ///< register-tiled direct convolution in plain Kokkos
  /// Winograd's F(2,3) on rows: the direct convolution with two thirds of the multiplications. On
  /// the host, for kernels of 3 rows with vertical stride and dilation 1. Tiles with input that is
  /// not finite, or above 1e30, are convolved directly.
  winograd,
  /// The whole block in one kernel on NVIDIA's tensor cores; on CUDA, for compute capability 8.0 or
  /// later. Tiles whose values float16 operands cannot stand for are computed in float32.
  tensor_core,
  gemm,  ///< im2col in a bounded workspace and KokkosBlas::gemm; needs Kokkos Kernels
};

/// Arithmetic of the convolution.
enum class Precision {
  fp32,  ///< float32-accurate; never TF32 behind the caller's back
  /// Leave to round the operands of products to 11 significant bits, as TF32 does, where that is
  /// faster: on tensor cores. Sums are float32.
  tf32,
};

/// How a Layer computes: with which algorithm, and in which precision. What it computes is the
/// Shape's.
struct Options {
  Algorithm algorithm = Algorithm::automatic;
  Precision precision = Precision::fp32;
  /// What the Views x and y of runs hold. What has 16 bits is converted to and from float32 in a
  /// workspace of a bounded number of images, rounded to the nearest, ties to even.
  ElementType input_type = ElementType::float32;
  ElementType output_type = ElementType::float32;
};

/// "auto", "direct", "winograd", "tensor_core", "gemm".
std::string_view to_string(Algorithm algorithm);
/// "fp32", "tf32".
std::string_view to_string(Precision precision);

/// The inverse of to_string. \throws InvalidArgument with the names there are
Algorithm algorithm_from_string(std::string_view name);
/// The inverse of to_string. \throws InvalidArgument with the names there are
Precision precision_from_string(std::string_view name);

/// Whether this build of the library has the algorithm, if not for every shape and execution space.
bool is_available(Algorithm algorithm);

}  // namespace fusedconv

#endif
