// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_TESTS_APP_INTERRUPTION_HPP
#define FUSEDCONV_TESTS_APP_INTERRUPTION_HPP

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "app_files.hpp"
#include "app_program.hpp"
#include "same_bits.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {

inline Problem small_images(std::int64_t count) {
  Shape shape;
  shape.batch = count;
  shape.in_channels = 3;
  shape.height = 17;
  shape.width = 15;
  shape.out_channels = 8;
  shape.kernel_size = {3, 3};
  shape.padding = {1, 1};
  shape.num_groups = 4;
  return random_problem(shape, 12);
}

/// With one in a piece, more than a pipeline has in hand at a time.
inline Problem twelve_images() { return small_images(12); }

/// An input, and the output of one rank that nobody disturbed.
class AppInterrupted : public testing::Test {
 protected:
  void SetUp() override { write(twelve_images()); }

  void write(const Problem& problem) {
    write_input(input_, problem);
    const std::string undisturbed = directory_.file("undisturbed.h5");
    ASSERT_EQ(run_app(input_ + " --quiet -o " + undisturbed).exit_code, 0);
    expected_ = read_floats(undisturbed, "output");
  }

  AppResult run(const std::string& arguments, const AppLaunch& launch = {}) const {
    // One image in a piece, unless said otherwise.
    const char* const chunk = arguments.find("--chunk") == std::string::npos ? " --chunk 1 " : " ";
    return run_app(input_ + " -o " + output_ + chunk + arguments, launch);
  }

  /// Leaves an output of which something, and not everything, is complete.
  void interrupt() const {
    // The call at which the first piece is written.
    const AppResult result = run("--quiet", {.fault = "signal-15:11:output.h5.part"});
    ASSERT_EQ(result.exit_code, 4) << result.standard_error;
  }

  /// The output is whole, has the undisturbed run's bits, and nothing else is left of it.
  void expect_whole() const {
    EXPECT_TRUE(same_bits(read_floats(output_, "output"), expected_));
    EXPECT_EQ(read_integer_attribute(output_, "complete"), 1);
    EXPECT_FALSE(std::filesystem::exists(part_));
    EXPECT_FALSE(std::filesystem::exists(record_));
  }

  void expect_unfinished() const {
    EXPECT_FALSE(std::filesystem::exists(output_));
    EXPECT_TRUE(std::filesystem::exists(part_));
    EXPECT_TRUE(std::filesystem::exists(record_));
  }

  TemporaryDirectory directory_;
  std::string input_ = directory_.file("input.h5");
  std::string output_ = directory_.file("output.h5");
  std::string part_ = output_ + ".part";
  std::string record_ = part_ + ".record";
  std::vector<float> expected_;
};

}  // namespace fusedconv::test

#endif
