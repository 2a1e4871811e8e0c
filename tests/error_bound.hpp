// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_ERROR_BOUND_HPP
#define FUSEDCONV_TESTS_ERROR_BOUND_HPP

#include <cstdint>
#include <fusedconv/options.hpp>
#include <vector>

#include "problem.hpp"

/// How far each element of a float32 evaluation may be from the reference, whatever the data:
/// derived in NUMERICS.md beside this file, whose symbols are used here, and not tuned.
namespace fusedconv::test {

/// What the bound has to know of how a result was computed.
struct Arithmetic {
  Algorithm algorithm = Algorithm::direct;  ///< as a Plan says, never automatic
  Precision precision = Precision::fp32;
  bool on_host = true;

  bool on_tensor_cores() const { return algorithm == Algorithm::tensor_core; }
};

/// What is needed of the convolution's sum for one output. Sums are over the taps inside the image
/// and, but for `value`, over finite products alone.
struct ConvolutionSum {
  double value = 0;            ///< c without conv.bias, as the reference has it
  double magnitude = 0;        ///< sum of |w x|
  double winograd = 0;         ///< the same of Winograd's algorithm, in whichever row of a pair
  double winograd_inputs = 0;  ///< sum of its |transformed x|
  double weights = 0;          ///< sum of |w| over x that are not 0
  double inputs = 0;           ///< sum of |x|
  /// A weight that is infinite or NaN meets the zero padding: the reference leaves it out, as
  /// PyTorch may or may not.
  bool meets_padding = false;
};

/// What no algorithm changes, computed once for a problem.
struct Reference {
  explicit Reference(const Problem& problem);

  Problem problem;
  std::vector<ConvolutionSum> sums;    ///< of each output
  std::vector<double> activations;     ///< s
  std::vector<double> y;               ///< the layer's output
  std::vector<double> largest_input;   ///< largest finite |x| of (image, channel group)
  std::vector<double> largest_weight;  ///< largest finite |w| of an output channel
};

/// What a normalisation group of an image may be.
enum class GroupResult {
  numbers,
  nan,             ///< all of it
  numbers_or_nan,  ///< float32 may overflow on the way: all NaN, or within the bounds
};

/// What an element may be, if its group is made of numbers.
enum class ElementResult {
  near,        ///< as far from the reference as `error` says
  nan,         ///< group_norm's parameters are
  not_finite,  ///< an infinite group_norm.weight
  infinite,    ///< what the reference is
  any,         ///< the last steps may overflow
};

/// Bounds of a problem's outputs.
struct ErrorBound {
  std::vector<double> error;           ///< of each element; infinite where nothing is promised
  std::vector<ElementResult> element;  ///< of each
  std::vector<GroupResult> group;      ///< of each image's, (N, num_groups)
};

ErrorBound error_bound(const Reference& reference, const Arithmetic& arithmetic);

/// What a comparison has found.
struct Comparison {
  double worst_ratio = 0;       ///< of error to bound, where both are finite and the bound not 0
  std::int64_t violation = -1;  ///< the first element that is not what it may be; -1: none
};

Comparison compare(const Reference& reference, const ErrorBound& bound,
                   const std::vector<float>& y);

}  // namespace fusedconv::test

#endif
