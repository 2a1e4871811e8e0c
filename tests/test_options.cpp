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
  EXPECT_EQ(to_string(Algorithm::tensor_core), "tensor_core");
  EXPECT_EQ(to_string(Algorithm::gemm), "gemm");
  for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::direct, Algorithm::winograd,
                                    Algorithm::tensor_core, Algorithm::gemm}) {
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
      EXPECT_EQ(error.expected(), "one of auto, direct, winograd, tensor_core, gemm");
      EXPECT_NE(error.found().find(name), std::string::npos);
    }
  }
}

TEST(Options, PrecisionNames) {
  EXPECT_EQ(to_string(Precision::fp32), "fp32");
  EXPECT_EQ(to_string(Precision::tf32), "tf32");
  EXPECT_EQ(precision_from_string("fp32"), Precision::fp32);
  EXPECT_EQ(precision_from_string("tf32"), Precision::tf32);
}

TEST(Options, UnknownPrecisionIsRefusedWithTheNamesThereAre) {
  for (const char* name : {"", "TF32", "bf16"}) {
    try {
      precision_from_string(name);
      ADD_FAILURE() << name << ": nothing thrown";
    } catch (const InvalidArgument& error) {
      EXPECT_EQ(error.object(), "precision");
      EXPECT_EQ(error.expected(), "one of fp32, tf32");
      EXPECT_NE(error.found().find(name), std::string::npos);
    }
  }
}

TEST(Options, RoundingIsNeverTheDefault) { EXPECT_EQ(Options{}.precision, Precision::fp32); }

TEST(Options, OurOwnAlgorithmsAreAlwaysAvailable) {
  EXPECT_TRUE(is_available(Algorithm::automatic));
  EXPECT_TRUE(is_available(Algorithm::direct));
  EXPECT_TRUE(is_available(Algorithm::winograd));
  EXPECT_TRUE(is_available(Algorithm::tensor_core));
}

}  // namespace
}  // namespace fusedconv
