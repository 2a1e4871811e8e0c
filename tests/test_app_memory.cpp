// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>

#include "memory.hpp"

namespace fusedconv::test {
namespace {

TEST(BytesText, ChoosesTheUnit) {
  EXPECT_EQ(app::bytes_text(0), "0 B");
  EXPECT_EQ(app::bytes_text(1023), "1023 B");
  EXPECT_EQ(app::bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(app::bytes_text(std::int64_t{3} << 40), "3.0 TiB");
}

}  // namespace
}  // namespace fusedconv::test
