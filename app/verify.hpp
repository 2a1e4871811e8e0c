// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_VERIFY_HPP
#define FUSEDCONV_APP_VERIFY_HPP

#include <array>
#include <cstdint>
#include <fusedconv/shape.hpp>
#include <string>
#include <vector>

#include "communicator.hpp"
#include "hdf5/element_type.hpp"
#include "hdf5/handle.hpp"
#include "hdf5/images.hpp"
#include "hdf5/permissions.hpp"

namespace fusedconv::app {

/// How far an output is from its reference.
struct Deviation {
  double relative_l2 = 0;             ///< ||output - reference|| / ||reference||
  double maximum = 0;                 ///< largest absolute difference
  std::array<std::int64_t, 4> at{};   ///< (n, c, h, w) of the maximum, the first one where several
  std::int64_t unlike_nonfinite = 0;  ///< NaN or infinity where the other one has something else

  /// Whether the relative L2 error is within the tolerance and nothing is unlike.
  bool passes(double tolerance) const;
};

/// Checks that a file has a dataset `output` of numbers with the extents of the shape's output.
/// \throws hdf5::InvalidFile
void check_reference(const std::string& path, const Shape& shape,
                     const hdf5::Permissions& permissions);

/// Compares an output with the dataset `output` of a file, part by part.
///
/// Sums are kept in double. Where both are NaN, or infinite with the same sign, they are alike and
/// count for nothing.
class Verification {
 public:
  /// \param communicator ranks that compare together, which outlives this object
  /// \param type         to which values are rounded before they are compared
  Verification(const Communicator& communicator, const std::string& path, hdf5::ElementType type);

  /// Compares a region of the output.
  void compare(const hdf5::Region& region, const float* values);
  /// What all ranks have found.
  Deviation deviation() const;

 private:
  /// Row-major index in the dataset of an element of a block.
  std::int64_t position(const hdf5::Block& block, std::int64_t element) const;

  const Communicator& communicator_;
  hdf5::ElementType type_;
  hdf5::File file_;
  hdf5::Dataset reference_;
  std::vector<std::int64_t> extents_;
  std::vector<double> block_;
  double squared_difference_ = 0;
  double squared_reference_ = 0;
  double maximum_ = 0;
  std::int64_t at_ = 0;
  std::int64_t unlike_nonfinite_ = 0;
};

}  // namespace fusedconv::app

#endif
