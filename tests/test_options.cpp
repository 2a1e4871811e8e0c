// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fusedconv/error.hpp>
#include <fusedconv/options.hpp>

namespace fusedconv {
namespace {

TEST(Options, AlgorithmNames) {
  EXPECT_EQ(to_string(Algorithm::automatic), "auto");
  EXPECT_EQ(to_string(Algorithm::direct), "direct");
  EXPECT_EQ(to_string(Algorithm::winograd), "winograd");
  EXPECT_EQ(to_string(Algorithm::gemm), "gemm");
  EXPECT_EQ(to_string(Precision::fp32), "fp32");
  for (const Algorithm algorithm :
       {Algorithm::automatic, Algorithm::direct, Algorithm::winograd, Algorithm::gemm}) {
    EXPECT_EQ(algorithm_from_string(to_string(algorithm)), algorithm);
  }
}

TEST(Options, UnknownAlgorithmIsRefusedWithTheNamesThereAre) {
  for (const char* name : {"", "Direct", "fft"}) {
    try {
      algorithm_from_string(name);
      ADD_FAILURE() << name << ": nothing thrown";
    } catch (const InvalidArgument& error) {
      EXPECT_EQ(error.object(), "algorithm");
      EXPECT_EQ(error.expected(), "one of auto, direct, winograd, gemm");
      EXPECT_NE(error.found().find(name), std::string::npos);
    }
  }
}

TEST(Options, OurOwnAlgorithmsAreAlwaysAvailable) {
  EXPECT_TRUE(is_available(Algorithm::automatic));
  EXPECT_TRUE(is_available(Algorithm::direct));
  EXPECT_TRUE(is_available(Algorithm::winograd));
}

}  // namespace
}  // namespace fusedconv
