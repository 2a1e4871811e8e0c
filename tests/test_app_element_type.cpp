// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "hdf5/element_type.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace hdf5 = app::hdf5;

/// The fields of a 16-bit floating-point type, from which its values follow.
struct Fields {
  int exponent_bits;
  int significand_bits;
  void (*convert)(const float*, std::int64_t, std::uint16_t*);

  std::uint16_t infinity() const {
    return static_cast<std::uint16_t>(((1 << exponent_bits) - 1) << significand_bits);
  }
  /// Of a pattern without sign; what follows the largest number is where infinity begins to be
  /// nearer.
  double value(std::uint16_t bits) const {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = bits >> significand_bits;
    const int significand = bits & ((1 << significand_bits) - 1);
    if (exponent == 0) return std::ldexp(significand, 1 - bias - significand_bits);
    return std::ldexp(significand + (1 << significand_bits), exponent - bias - significand_bits);
  }
  std::uint16_t converted(float value) const {
    std::uint16_t bits = 0;
    convert(&value, 1, &bits);
    return bits;
  }
};

const Fields float16{5, 10, hdf5::to_float16};
const Fields bfloat16{8, 7, hdf5::to_bfloat16};

class To16Bits : public testing::TestWithParam<const Fields*> {};

TEST_P(To16Bits, KeepsEveryValueThatItHas) {
  const Fields& type = *GetParam();
  for (std::uint32_t bits = 0; bits < type.infinity(); ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(type.value(pattern));
    EXPECT_EQ(type.converted(value), pattern);
    EXPECT_EQ(type.converted(-value), pattern | 0x8000);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(type.converted(infinity), type.infinity());
  EXPECT_EQ(type.converted(-infinity), type.infinity() | 0x8000);
}

TEST_P(To16Bits, RoundsToTheNearestAndHalvesToTheEven) {
  const Fields& type = *GetParam();
  for (std::uint32_t bits = 0; bits < type.infinity(); ++bits) {
    const auto lower = static_cast<std::uint16_t>(bits);
    const auto upper = static_cast<std::uint16_t>(bits + 1);
    const double exact = (type.value(lower) + type.value(upper)) / 2;
    const auto half = static_cast<float>(exact);
    if (static_cast<double>(half) != exact) continue;  // half of bfloat16's least is no float32
    EXPECT_EQ(type.converted(half), bits % 2 == 0 ? lower : upper) << half;
    EXPECT_EQ(type.converted(std::nextafter(half, 0.0F)), lower) << half;
    const float more = std::nextafter(half, std::numeric_limits<float>::infinity());
    EXPECT_EQ(type.converted(more), upper) << half;
    EXPECT_EQ(type.converted(-more), upper | 0x8000) << half;
  }
}

TEST_P(To16Bits, OverflowsToInfinityAndUnderflowsToZero) {
  const Fields& type = *GetParam();
  EXPECT_EQ(type.converted(std::numeric_limits<float>::max()), type.infinity());
  EXPECT_EQ(type.converted(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(type.converted(-std::numeric_limits<float>::denorm_min()), 0x8000);
}

TEST_P(To16Bits, KeepsNaNWhateverItsPayload) {
  const Fields& type = *GetParam();
  for (const std::uint32_t bits : {0x7f800001U, 0x7f801000U, 0x7fbfffffU, 0x7fc00000U, 0x7fffffffU,
                                   0xff800001U, 0xffffffffU}) {
    const std::uint16_t found = type.converted(std::bit_cast<float>(bits));
    EXPECT_GT(found & 0x7fff, type.infinity()) << bits;
    EXPECT_EQ(found >> 15, bits >> 31);
  }
}

TEST_P(To16Bits, ConvertsManyAsItConvertsOne) {
  const Fields& type = *GetParam();
  std::vector<float> values;
  for (std::uint32_t i = 0; i < 100003; ++i) values.push_back(std::bit_cast<float>(i * 42949U));
  std::vector<std::uint16_t> found(values.size());
  type.convert(values.data(), static_cast<std::int64_t>(values.size()), found.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(found[i], type.converted(values[i])) << values[i];
  }
}

INSTANTIATE_TEST_SUITE_P(, To16Bits, testing::Values(&float16, &bfloat16),
                         [](const testing::TestParamInfo<const Fields*>& info) {
                           return info.index == 0 ? "float16" : "bfloat16";
                         });

/// HDF5 converts from the fields that the type names.
TEST(ElementType, IsReadByHDF5AsTheNumbersThatWereWritten) {
  const TemporaryDirectory directory;
  const std::vector<float> values{0.0F, -0.0F, 1.0F, -2.5F, 0.1F, 65504.0F, 1e-7F, 6e4F};
  for (const Fields* type : {&float16, &bfloat16}) {
    const auto name = type == &float16 ? hdf5::ElementType::float16 : hdf5::ElementType::bfloat16;
    const hdf5::Datatype stored = hdf5::stored_type(name);
    EXPECT_EQ(stored.size(), 2U);
    const hdf5::File file = hdf5::File::create(directory.file("x.h5"));
    hdf5::Dataset dataset =
        hdf5::Dataset::create(file, "x", stored.id(), hdf5::Dataspace::simple({8}));
    std::vector<std::uint16_t> bits(values.size());
    type->convert(values.data(), 8, bits.data());
    dataset.write(stored.id(), bits.data());
    std::vector<float> read(values.size());
    dataset.read(H5T_NATIVE_FLOAT, read.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double expected = type->value(bits[i] & 0x7fff);
      EXPECT_EQ(read[i], bits[i] >> 15 == 0 ? expected : -expected);
      EXPECT_NEAR(read[i], values[i], std::abs(values[i]) / 200 + 1e-7);
    }
  }
}

TEST(ElementType, RoundsToWhatIsStored) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    for (const Fields* type : {&float16, &bfloat16}) {
      const auto name = type == &float16 ? hdf5::ElementType::float16 : hdf5::ElementType::bfloat16;
      const auto pattern = static_cast<std::uint16_t>(bits & 0x7fff);
      if (pattern >= type->infinity()) continue;
      const double value = bits >> 15 == 0 ? type->value(pattern) : -type->value(pattern);
      EXPECT_EQ(hdf5::rounded(static_cast<float>(value), name), value);
      EXPECT_EQ(hdf5::rounded(static_cast<float>(value * (1 + 1e-6)), name), value);
    }
  }
  for (const auto type : {hdf5::ElementType::float16, hdf5::ElementType::bfloat16}) {
    EXPECT_TRUE(std::isnan(hdf5::rounded(std::numeric_limits<float>::quiet_NaN(), type)));
    EXPECT_EQ(hdf5::rounded(-std::numeric_limits<float>::max(), type),
              -std::numeric_limits<float>::infinity());
  }
  EXPECT_EQ(hdf5::rounded(0.1F, hdf5::ElementType::float32), 0.1F);
}

TEST(ElementType, HasTheNamesThatItTakes) {
  for (const std::string& name : hdf5::element_type_names()) {
    EXPECT_EQ(hdf5::to_string(hdf5::element_type_from_string(name)), name);
  }
}

}  // namespace
}  // namespace fusedconv::test
