// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_ROUNDING_HPP
#define FUSEDCONV_TESTS_ROUNDING_HPP

#include <vector>

#include "problem.hpp"

/// How far a float32 evaluation may be from the reference: derived from the problem, not tuned.
namespace fusedconv::test {

/// The L2 norm, over the whole output, of the rounding errors of a float32 evaluation.
///
/// Each operation's result r is taken to be wrong by u |r| (u = 2^-24, unit roundoff),
/// independently of the others, so that squares add up (the probabilistic error analysis of Higham
/// and Mary, SIAM J. Sci. Comput. 41, 2019: sums of K terms err by sqrt(K) u, not K u). With P_k
/// the partial sums of the convolution, in any one order:
///
///     dc^2 = u^2 sum_k P_k^2
///     dt^2 = scale^2 (dc^2 + u^2 (c^2 + bias^2 + (c + bias)^2)) + u^2 t^2,  t = (c + bias) scale
///     ds^2 = (s (1 - s))^2 dt^2 + (2 u s)^2                                 sigmoid itself: 2 u
///     ds^2 = f'(t)^2 (dt^2 + (2 u t)^2) + (4 u s)^2                         other activations f
///     dy^2 = (weight / sigma)^2 (ds^2 + u^2 mean^2) + (2 u (y - shift))^2 + u^2 (shift^2 + y^2)
///
/// Other activations are made of several operations, some of whose errors are like errors of t.
///
/// with sigma^2 = var + eps, weight and shift of group_norm. Moments taken from the rounded s need
/// no term: the derivative of the normalisation is a projection divided by sigma.
///
/// Rounding errors are really uniform in [-u |r|, u |r|], a root mean square of u |r| / sqrt(3).
double float32_rounding(const Problem& problem);

/// The L2 error that a test allows: twice float32_rounding, for orders of summation whose partial
/// sums are larger than the reference's.
double float32_tolerance(const Problem& problem);

/// The L2 norm of (y - expected); NaN if any element is.
double l2_distance(const std::vector<float>& y, const std::vector<double>& expected);

}  // namespace fusedconv::test

#endif
