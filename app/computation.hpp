// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_COMPUTATION_HPP
#define FUSEDCONV_APP_COMPUTATION_HPP

#include <cstdint>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>
#include <memory>
#include <string>

#include "hdf5/layer_file.hpp"

namespace fusedconv::app {

/// Seconds of a chunk.
struct ComputeSeconds {
  double transfer = 0;  ///< to and from a device's own memory
  double median = 0;    ///< of the computations
  double minimum = 0;   ///< of the computations
};

/// A layer on one backend, with buffers for a chunk of images in host memory. A host backend
/// computes in these very buffers; a device's are pinned.
class Computation {
 public:
  virtual ~Computation() = default;

  /// Where the images of a chunk belong: (chunk, in_channels, height, width).
  virtual float* input() = 0;
  /// Where compute() leaves the images: (chunk, out_channels, output height, output width).
  virtual const float* output() const = 0;
  /// Computes the first images of input(), and returns when they are in output().
  /// \param repeat how many times, for the sake of the seconds
  virtual ComputeSeconds compute(std::int64_t images, std::int64_t repeat) = 0;
};

/// \param backend a name in backend_names()
/// \param shape   `batch` is the number of images of a chunk
/// \throws OutOfMemory if buffers or workspace do not fit
std::unique_ptr<Computation> make_computation(const std::string& backend, const Shape& shape,
                                              const hdf5::HostParameters& parameters,
                                              const Options& options);

/// A fusedconv::Plan on a backend that is named at run time.
struct BackendPlan {
  Algorithm algorithm = Algorithm::direct;
  std::string description;
  std::int64_t workspace_bytes = 0;
};

/// \throws InvalidArgument if shape or an option is wrong
BackendPlan plan_on(const std::string& backend, const Shape& shape, const Options& options);

}  // namespace fusedconv::app

#endif
