// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_COMPUTATION_HPP
#define FUSEDCONV_APP_COMPUTATION_HPP

#include <cstdint>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>
#include <memory>
#include <string>

#include "hdf5/layer_file.hpp"
#include "memory.hpp"
#include "pipeline.hpp"

namespace fusedconv::app {

/// Seconds that the computation of pieces took.
struct ComputeSeconds {
  double transfer = 0;  ///< to and from a device's own memory
  double median = 0;    ///< sum over pieces of the median of the repetitions
  double minimum = 0;   ///< sum over pieces of the minimum of the repetitions
  double all = 0;       ///< sum over pieces of all repetitions
};

/// A layer on one backend, with buffers for pieces in host memory. A host backend computes in these
/// very buffers; a device's are pinned, and it has as many of its own.
class Computation {
 public:
  virtual ~Computation() = default;

  /// Where a piece's input belongs, contiguous: (images, in_channels, rows with halo, width).
  virtual float* input(int buffer) = 0;
  /// Where a piece's output is found: (images, out_channels, rows, output width).
  virtual const float* output(int buffer) = 0;
  /// Computes the pieces of a queue until it ends. On a device the copy of the next piece, the
  /// computation of this one and the copy of the last one overlap.
  /// \param repeat how many times each, for the sake of the seconds
  virtual ComputeSeconds run(PieceQueue& pieces, std::int64_t repeat) = 0;
};

/// \param backend a name in backend_names()
/// \param shape   `batch` is the most images of a piece
/// \throws OutOfMemory if buffers or workspace do not fit
std::unique_ptr<Computation> make_computation(const std::string& backend, const Shape& shape,
                                              const hdf5::HostParameters& parameters,
                                              const Options& options, const Buffers& buffers);

/// A fusedconv::Plan on a backend that is named at run time.
struct BackendPlan {
  Algorithm algorithm = Algorithm::direct;
  std::string description;
  std::int64_t workspace_bytes = 0;
  std::int64_t row_alignment = 0;
  std::int64_t row_statistics_words = 0;
};

/// \throws InvalidArgument if shape or an option is wrong
BackendPlan plan_on(const std::string& backend, const Shape& shape, const Options& options);

}  // namespace fusedconv::app

#endif
