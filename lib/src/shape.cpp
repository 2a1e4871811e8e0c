// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <fusedconv/error.hpp>
#include <fusedconv/shape.hpp>
#include <initializer_list>
#include <limits>
#include <sstream>

namespace fusedconv {
namespace {

// Extents up to here keep every product of two of them inside 64 bits, and input coordinates inside
// 32 bits, which device kernels use.
constexpr std::int64_t max_extent = std::int64_t{1} << 30;
// Element counts up to here keep byte counts inside 64 bits, in double precision too.
constexpr std::int64_t max_elements = std::numeric_limits<std::int64_t>::max() / 16;

void require_between(const std::string& object, std::int64_t value, std::int64_t least) {
  if (value < least || value > max_extent) {
    throw InvalidArgument(
        object, "an integer from " + std::to_string(least) + " to " + std::to_string(max_extent),
        std::to_string(value));
  }
}

void require_between(const std::string& object, const HeightWidth& pair, std::int64_t least) {
  for (const std::int64_t value : pair) require_between(object, value, least);
}

void require_divides(const std::string& object, std::int64_t divisor, const char* channels,
                     std::int64_t number) {
  if (number % divisor != 0) {
    throw InvalidArgument(
        object, std::string("a divisor of the ") + std::to_string(number) + " " + channels,
        std::to_string(divisor));
  }
}

void require_countable(const std::string& object, std::initializer_list<std::int64_t> extents) {
  std::int64_t product = 1;
  std::string found;
  for (const std::int64_t extent : extents) {
    found += (found.empty() ? "" : " x ") + std::to_string(extent);
    if (product != 0 && extent > max_elements / product) product = 0;
    product *= extent;
  }
  if (product == 0) {
    throw InvalidArgument(object, "at most " + std::to_string(max_elements) + " elements", found);
  }
}

}  // namespace

void Shape::validate() const {
  require_between("input number of images", batch, 1);
  require_between("input channels", in_channels, 1);
  require_between("input height", height, 1);
  require_between("input width", width, 1);
  require_between("conv.weight output channels", out_channels, 1);
  require_between("conv.weight kernel size", kernel_size, 1);
  require_between("conv.stride", stride, 1);
  require_between("conv.padding", padding, 0);
  require_between("conv.dilation", dilation, 1);
  require_between("conv.groups", groups, 1);
  require_between("group_norm.num_groups", num_groups, 1);
  if (!(std::isfinite(eps) && eps > 0)) {
    std::ostringstream found;
    found << eps;
    throw InvalidArgument("group_norm.eps", "a finite number above 0", found.str());
  }
  activation_from_string(to_string(activation));
  require_divides("conv.groups", groups, "input channels", in_channels);
  require_divides("conv.groups", groups, "output channels", out_channels);
  require_divides("group_norm.num_groups", num_groups, "output channels", out_channels);
  const HeightWidth extents{height, width};
  for (int axis = 0; axis < 2; ++axis) {
    const std::int64_t padded = extents[axis] + 2 * padding[axis];
    require_between(axis == 0 ? "padded input height" : "padded input width", padded, 1);
    const std::int64_t reach = dilation[axis] * (kernel_size[axis] - 1) + 1;
    if (reach > padded) {
      throw InvalidArgument("conv.weight",
                            std::string("a kernel that, dilated, fits the padded input's ") +
                                std::to_string(padded) + (axis == 0 ? " rows" : " columns"),
                            std::to_string(reach) + (axis == 0 ? " rows" : " columns"));
    }
  }
  require_countable("input", {batch, in_channels, height, width});
  require_countable("conv.weight",
                    {out_channels, in_channels_per_group(), kernel_size[0], kernel_size[1]});
  require_countable("output", {batch, out_channels, output_height(), output_width()});
}

std::string to_string(const Shape& shape) {
  std::ostringstream out;
  const auto pair = [&out](const char* name, const HeightWidth& value, std::int64_t usual) {
    if (value != HeightWidth{usual, usual})
      out << ", " << name << ' ' << value[0] << 'x' << value[1];
  };
  out << shape.batch << 'x' << shape.in_channels << 'x' << shape.height << 'x' << shape.width
      << " -> " << shape.batch << 'x' << shape.out_channels << 'x' << shape.output_height() << 'x'
      << shape.output_width() << ", kernel " << shape.kernel_size[0] << 'x' << shape.kernel_size[1];
  pair("stride", shape.stride, 1);
  pair("padding", shape.padding, 0);
  pair("dilation", shape.dilation, 1);
  if (shape.groups != 1) out << ", " << shape.groups << " channel groups";
  out << ", " << shape.num_groups << (shape.num_groups == 1 ? " group" : " groups");
  if (shape.activation != Activation::sigmoid) out << ", " << to_string(shape.activation);
  return out.str();
}

}  // namespace fusedconv
