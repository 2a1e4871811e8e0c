// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_ERROR_HPP
#define FUSEDCONV_ERROR_HPP

#include <cstdint>
#include <stdexcept>
#include <string>

namespace fusedconv {

/// An argument that cannot be computed with: a tensor's extents, a hyper-parameter, a file's
/// object.
///
/// what() is one sentence, "OBJECT: expected EXPECTED, found FOUND".
class InvalidArgument : public std::invalid_argument {
 public:
  /// \param object   name of what is wrong, as its owner knows it ("conv.weight", "conv.stride")
  /// \param expected what would have been right ("extents (32, 8, 3, 3)")
  /// \param found    what was there ("extents (32, 4, 3, 3)")
  InvalidArgument(std::string object, std::string expected, std::string found);

  /// The name of what is wrong, as the constructor was given it.
  const std::string& object() const noexcept { return object_; }
  /// What would have been right, likewise.
  const std::string& expected() const noexcept { return expected_; }
  /// What was there, likewise.
  const std::string& found() const noexcept { return found_; }

 private:
  std::string object_;
  std::string expected_;
  std::string found_;
};

/// Memory that was asked for and not to be had.
class OutOfMemory : public std::runtime_error {
 public:
  /// \param what_for        what the memory was for ("workspace of the layer")
  /// \param memory_space    the Kokkos memory space that was asked
  /// \param requested_bytes bytes asked for
  OutOfMemory(const std::string& what_for, const std::string& memory_space,
              std::int64_t requested_bytes);

  /// Bytes asked for, of one allocation.
  std::int64_t requested_bytes() const noexcept { return requested_bytes_; }

 private:
  std::int64_t requested_bytes_;
};

}  // namespace fusedconv

#endif
