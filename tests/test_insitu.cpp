// SPDX-License-Identifier: Apache-2.0
// The simulation of app/examples/insitu, as its users start it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "run_program.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

constexpr std::size_t channels = 8;
constexpr std::size_t channels_per_group = 2;
constexpr std::size_t pixels = std::size_t{192} * 256;

ProgramResult run_insitu(int ranks, const std::string& arguments, const std::string& before = {}) {
  return run_program(before + " " FUSEDCONV_MPIEXEC " " + std::to_string(ranks) +
                     " " FUSEDCONV_INSITU " " + arguments);
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The features after some steps.
std::string features(int ranks, int steps) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("features");
  const ProgramResult result = run_insitu(ranks, std::to_string(steps) + " " + path);
  EXPECT_EQ(result.exit_code, 0) << result.output;
  return content(path);
}

TEST(Insitu, FeaturesAreTheSameOnAnyNumberOfRanks) {
  const std::string alone = features(1, 41);
  ASSERT_EQ(alone.size(), channels * pixels * sizeof(float));
  for (const int ranks : {2, 3}) EXPECT_EQ(features(ranks, 41), alone) << ranks << " ranks";
  EXPECT_NE(features(2, 31), alone) << "the simulation stands still";
}

TEST(Insitu, FeaturesAreNormalisedOverAllRanks) {
  const std::string bytes = features(3, 101);
  std::vector<float> values(channels * pixels);
  ASSERT_EQ(bytes.size(), values.size() * sizeof(float));
  bytes.copy(reinterpret_cast<char*>(values.data()), bytes.size());
  constexpr std::size_t size = channels_per_group * pixels;
  for (std::size_t group = 0; group < channels / channels_per_group; ++group) {
    double sum = 0;
    double squares = 0;
    for (std::size_t i = group * size; i < (group + 1) * size; ++i) {
      sum += values[i];
      squares += static_cast<double>(values[i]) * values[i];
    }
    EXPECT_NEAR(sum / size, 0, 1e-5);
    // Less than 1 by what eps adds to a variance of 0.001 or more.
    EXPECT_LT(squares / size, 1);
    EXPECT_GT(squares / size, 0.99);
  }
}

TEST(Insitu, StepsNeitherAllocateNorCopyAndFenceWhereTheySay) {
  const TemporaryDirectory directory;
  const std::string events = directory.file("events");
  const ProgramResult result =
      run_insitu(2, "21",
                 "KOKKOS_TOOLS_LIBS=" FUSEDCONV_TEST_EVENTS_TOOL
                 " FUSEDCONV_TEST_REGION=insitu::steps FUSEDCONV_TEST_EVENTS=" +
                     events);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  int ranks = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory.file(""))) {
    ++ranks;
    std::map<std::string, int> counts;
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) ++counts[line];
    // Steps 0, 10 and 20 are analysed.
    EXPECT_EQ(counts["kernel insitu::step"], 21);
    EXPECT_EQ(counts["region fusedconv::Layer::activate_rows"], 3);
    EXPECT_EQ(counts["region fusedconv::Layer::normalize_rows"], 3);
    EXPECT_EQ(counts["fence insitu: the rows for the neighbours are complete"], 21);
    EXPECT_EQ(counts["fence insitu: the field is complete, which another instance is to read"], 3);
    EXPECT_EQ(counts["fence insitu: the statistics of this rank are complete"], 3);
    EXPECT_EQ(counts["fence insitu: the features are complete"], 4);
    int fences = 0;
    for (const auto& [event, count] : counts) {
      if (event.starts_with("fence ")) fences += count;
      EXPECT_FALSE(event.starts_with("allocation ")) << event;
      // On a GPU the statistics go to the host and back.
      EXPECT_FALSE(event.starts_with("copy ") && !event.starts_with("copy statistics")) << event;
      if (result.output.find(" of Cuda") == std::string::npos &&
          result.output.find(" of HIP") == std::string::npos) {
        EXPECT_FALSE(event.starts_with("copy ")) << event;
      }
    }
    EXPECT_EQ(fences, 31);
  }
  EXPECT_EQ(ranks, 2);
}

TEST(Insitu, RefusesWhatItCannotDo) {
  for (const char* arguments : {"", "0", "10x", "10 file more"}) {
    const ProgramResult result = run_program(std::string(FUSEDCONV_INSITU " ") + arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_NE(result.output.find("usage: insitu STEPS [FILE]"), std::string::npos) << result.output;
  }
}

}  // namespace
}  // namespace fusedconv::test
