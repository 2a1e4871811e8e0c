// SPDX-License-Identifier: Apache-2.0
//
// Many files through one process, which ends with no more than it had after the first of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "app_files.hpp"
#include "app_program.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

/// As growth.cpp writes them.
constexpr std::size_t quantities = 9;
constexpr std::size_t hdf5_objects = 3;
constexpr std::array<const char*, quantities> names{
    "bytes",      "descriptors", "threads",  "HDF5 objects", "HDF5 values", "MPI communicators",
    "MPI groups", "MPI infos",   "MPI files"};
using State = std::array<std::int64_t, quantities>;

class AppWithManyFiles : public testing::Test {
 protected:
  /// It gives some of what is freed back to the system, and keeps some.
  static constexpr std::int64_t c_library = std::int64_t{512} << 10;

  /// \param layers that take turns, so that with two of them each file is a job of its own
  void write_inputs(int count, int layers) {
    for (int layer = 0; layer < layers; ++layer) {
      write_input(directory_.file("layer" + std::to_string(layer)), tiny_images(1, 1 + layer));
    }
    fs::create_directory(directory_.file("in"));
    fs::create_directory(directory_.file("out"));
    for (int file = 0; file < count; ++file) {
      std::array<char, 24> name{};
      std::snprintf(name.data(), name.size(), "in/%05d.h5", file);
      fs::copy_file(directory_.file("layer" + std::to_string(file % layers)),
                    directory_.file(name.data()));
    }
  }

  /// What rank 0 had when each output had been written.
  std::vector<State> run(int ranks) {
    std::string arguments = "--quiet --output-dir " + directory_.file("out");
    arguments.append(" '").append(directory_.file("in")).append("/*.h5'");
    const std::string watched = "export LD_PRELOAD=" FUSEDCONV_TEST_GROWTH
                                ":$LD_PRELOAD FUSEDCONV_TEST_GROWTH=" +
                                directory_.file("growth") + " &&";
    const AppResult result = run_app(arguments, {.ranks = ranks, .before = watched});
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    std::vector<State> states;
    std::ifstream lines(directory_.file("growth0"));
    for (State state{}; lines >> state[0];) {
      for (std::size_t i = 1; i < quantities; ++i) lines >> state[i];
      states.push_back(state);
    }
    return states;
  }

  /// \param bytes_of_file that may be kept of each file for the report
  /// \param slack that may be kept of all
  static void expect_no_growth(const std::vector<State>& states, int files,
                               std::int64_t bytes_of_file, std::int64_t slack = c_library) {
    ASSERT_EQ(states.size(), static_cast<std::size_t>(files));
    const std::size_t warm = states.size() / 5;
    const State& before = states[warm];
    const State& after = states.back();
    std::cout << "after files " << warm + 1 << " and " << states.size() << ":";
    for (std::size_t i = 0; i < quantities; ++i) {
      std::cout << " " << names[i] << " " << before[i] << " " << after[i] << ";";
      // The next file may have been opened already.
      constexpr std::int64_t one_file = 8;
      if (i > 0) {
        EXPECT_LE(after[i], before[i] + one_file) << names[i];
      }
    }
    std::cout << "\n";
    const auto computed = static_cast<std::int64_t>(states.size() - warm);
    EXPECT_LE(after[0] - before[0], slack + bytes_of_file * computed);
  }

  TemporaryDirectory directory_;
};

TEST_F(AppWithManyFiles, HasNoMoreAfterAThousandInOneJob) {
  constexpr int files = 1000;
  write_inputs(files, 1);
  const std::vector<State> states = run(0);
  expect_no_growth(states, files, 0);
  // Those of the next file are seen, which is open while one is given its name.
  EXPECT_TRUE(std::any_of(states.begin(), states.end(),
                          [](const State& state) { return state[hdf5_objects] > 0; }));
}

TEST_F(AppWithManyFiles, HasNoMoreAfterAThousandJobs) {
  constexpr int files = 1000;
  write_inputs(files, 2);
  expect_no_growth(run(0), files, 4096);
}

TEST_F(AppWithManyFiles, HasNoMoreAfterJobsInWhichRanksShareImages) {
  constexpr int files = 200;
  // Where a rank is late, Open MPI makes room for more messages, in steps of half a megabyte.
  constexpr std::int64_t messages = std::int64_t{2} << 20;
  write_inputs(files, 2);
  expect_no_growth(run(2), files, 4096, c_library + messages);
}

}  // namespace
}  // namespace fusedconv::test
