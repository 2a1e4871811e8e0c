// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_SHAPE_OPTIONS_HPP
#define FUSEDCONV_APP_SHAPE_OPTIONS_HPP

#include <CLI/CLI.hpp>
#include <cstdint>
#include <fusedconv/shape.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fusedconv::app {

/// Command-line options that make a Shape: a named one, and sizes that take the place of its own.
class ShapeOptions {
 public:
  /// \param app keeps references to this object
  explicit ShapeOptions(CLI::App& app);
  ShapeOptions(const ShapeOptions&) = delete;
  ShapeOptions& operator=(const ShapeOptions&) = delete;
  ~ShapeOptions() = default;

  /// The shape that the parsed options ask for.
  /// \throws InvalidArgument if it is none that can be computed
  Shape shape() const;

  /// The name of shape(): that of the named shape where at most the number of images differs, else
  /// the sizes in words.
  std::string name() const;

 private:
  std::string named_ = "headline";
  std::string activation_;  // empty: the named shape's
  std::optional<std::int64_t> batch_;
  std::optional<std::int64_t> in_channels_;
  std::optional<std::int64_t> height_;
  std::optional<std::int64_t> width_;
  std::optional<std::int64_t> out_channels_;
  std::optional<std::int64_t> groups_;
  std::optional<std::int64_t> num_groups_;
  // One value for both axes, or height and width.
  std::vector<std::int64_t> kernel_size_;
  std::vector<std::int64_t> stride_;
  std::vector<std::int64_t> padding_;
  std::vector<std::int64_t> dilation_;
};

}  // namespace fusedconv::app

#endif
