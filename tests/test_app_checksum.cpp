// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "app_interruption.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t channels = 8;
constexpr std::int64_t rows = 17;
constexpr std::int64_t columns = 15;

/// As the standards that zlib, PNG and Ethernet follow define it, bit by bit.
std::uint32_t crc32(const unsigned char* bytes, std::size_t count) {
  std::uint32_t remainder = 0xffffffff;
  for (std::size_t at = 0; at < count; ++at) {
    remainder ^= bytes[at];
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0xedb88320 : 0);
    }
  }
  return ~remainder;
}

std::vector<std::uint32_t> checksums_of(const std::string& path) {
  std::vector<std::uint32_t> checksums;
  const hid_t file = require(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t dataset = require(H5Dopen2(file, "output_crc32", H5P_DEFAULT));
  const hid_t space = require(H5Dget_space(dataset));
  std::vector<hsize_t> extents(3);
  EXPECT_EQ(H5Sget_simple_extent_ndims(space), 3);
  require(H5Sget_simple_extent_dims(space, extents.data(), nullptr));
  EXPECT_EQ(extents, (std::vector<hsize_t>{12, channels, rows}));
  checksums.resize(extents[0] * extents[1] * extents[2]);
  require(H5Dread(dataset, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, checksums.data()));
  require(H5Sclose(space));
  require(H5Dclose(dataset));
  require(H5Fclose(file));
  return checksums;
}

/// Of the elements as they are stored.
std::vector<std::uint32_t> checksums_of_rows(const std::string& path) {
  const hid_t file = require(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t dataset = require(H5Dopen2(file, "output", H5P_DEFAULT));
  const hid_t type = require(H5Dget_type(dataset));
  const std::size_t row_bytes = columns * H5Tget_size(type);
  std::vector<unsigned char> bytes(12 * channels * rows * row_bytes);
  require(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()));
  require(H5Tclose(type));
  require(H5Dclose(dataset));
  require(H5Fclose(file));
  std::vector<std::uint32_t> checksums;
  for (std::size_t at = 0; at < bytes.size(); at += row_bytes) {
    checksums.push_back(crc32(bytes.data() + at, row_bytes));
  }
  return checksums;
}

class AppChecksum : public AppInterrupted {
 protected:
  void expect_checksums() const { EXPECT_EQ(checksums_of(output_), checksums_of_rows(output_)); }

  AppResult check(int ranks = 0) const { return run_app("--check " + output_, {.ranks = ranks}); }

  void flip(std::size_t byte) const {
    std::fstream file(output_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(byte));
    const int value = file.get();
    file.seekp(static_cast<std::streamoff>(byte));
    file.put(static_cast<char>(value ^ 1));
  }
};

TEST_F(AppChecksum, IsThatOfZlibWhateverTheRanksAndPieces) {
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 2}, AppLaunch{.ranks = 3}}) {
    for (const std::string arguments : {"", "--chunk 5"}) {
      SCOPED_TRACE(to_string(launch) + arguments);
      fs::remove(output_);
      const AppResult result = run("--quiet --checksum " + arguments, launch);
      ASSERT_EQ(result.exit_code, 0) << result.standard_error;
      expect_whole();
      expect_checksums();
      const AppResult checked = check(launch.ranks);
      EXPECT_EQ(checked.exit_code, 0) << checked.standard_error;
      EXPECT_EQ(checked.standard_output,
                output_ + ": all rows of 12 images have their checksums\n");
    }
  }
}

TEST_F(AppChecksum, IsOfWhatIsStored) {
  for (const std::string arguments :
       {"--output-type float16", "--output-type bfloat16", "--hdf5-transfer mapped",
        "--hdf5-transfer mapped --output-type bfloat16", "--compress gzip 4",
        "--compress gzip 1 --output-type float16"}) {
    for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 2}}) {
      SCOPED_TRACE(arguments + to_string(launch));
      fs::remove(output_);
      const AppResult result = run("--quiet --checksum " + arguments, launch);
      ASSERT_EQ(result.exit_code, 0) << result.standard_error;
      expect_checksums();
      EXPECT_EQ(check().exit_code, 0);
    }
  }
}

TEST_F(AppChecksum, IsThatOfAnUndisturbedRunAfterAnInterruption) {
  const std::string arguments = "--quiet --checksum";
  for (const std::string fault : {"signal-15:15:output.h5.part", "kill:15:output.h5.part"}) {
    for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 2}}) {
      SCOPED_TRACE(fault + to_string(launch));
      fs::remove(output_);
      AppLaunch disturbed;
      disturbed.fault = fault;
      ASSERT_NE(run(arguments, disturbed).exit_code, 0);
      expect_unfinished();
      ASSERT_EQ(run(arguments + " --resume", launch).exit_code, 0);
      expect_whole();
      expect_checksums();
      EXPECT_EQ(check().exit_code, 0);
    }
  }
}

TEST_F(AppChecksum, IsGoneOnWithOnlyWhereItWasBegun) {
  interrupt();
  const AppResult refused = run("--resume --checksum");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.standard_error.find("made with another checksum: expected CRC-32 of rows, "
                                        "found none"),
            std::string::npos)
      << refused.standard_error;
  ASSERT_EQ(run("--resume --quiet").exit_code, 0);
  // It is another output that is asked for now.
  ASSERT_EQ(run("--resume --quiet --checksum").exit_code, 0);
  expect_checksums();
}

TEST_F(AppChecksum, FindsAFlippedBitAnywhere) {
  ASSERT_EQ(run("--quiet --checksum").exit_code, 0);
  const std::size_t begin = address_of(output_, "output");
  const std::size_t bytes = 12 * channels * rows * columns * sizeof(float);
  for (const std::size_t at : {std::size_t{0}, bytes / 3, bytes - 1}) {
    flip(begin + at);
    const std::size_t row = at / (columns * sizeof(float));
    for (const int ranks : {0, 3}) {
      const AppResult result = check(ranks);
      EXPECT_EQ(result.exit_code, 3);
      EXPECT_EQ(result.standard_output, "");
      ASSERT_EQ(result.messages().size(), 1U) << result.standard_error;
      EXPECT_TRUE(result.messages().front().starts_with(
          "fusedconv_app: " + output_ +
          ": output: expected rows that have their checksums, found 1 that have not in 1 of 12 "
          "images, first row " +
          std::to_string(row % rows) + " of channel " + std::to_string(row / rows % channels) +
          " of image " + std::to_string(row / rows / channels) + " with CRC-32 "))
          << result.messages().front();
    }
    flip(begin + at);
  }
  EXPECT_EQ(check().exit_code, 0);
  flip(address_of(output_, "output_crc32") + 5);
  EXPECT_EQ(check().exit_code, 3);
}

TEST_F(AppChecksum, NamesTheImageThatCannotBeDecompressed) {
  ASSERT_EQ(run("--quiet --checksum --compress gzip 4").exit_code, 0);
  // In the compressed bytes of the first chunk, behind the header of the stream.
  for (std::size_t byte = 20; byte < 40; ++byte) flip(address_of(output_, "output") + byte);
  const AppResult result = check(2);
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(result.standard_error.find("image 0"), std::string::npos) << result.standard_error;
}

TEST_F(AppChecksum, IsAskedForOfCompleteOutputsThatHaveSome) {
  ASSERT_EQ(run("--quiet").exit_code, 0);
  const AppResult none = check(2);
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_EQ(none.messages().front(), "fusedconv_app: " + output_ +
                                         ": output_crc32: expected checksums, as --checksum stores "
                                         "them, found none");
  EXPECT_EQ(run_app("--check " + input_).exit_code, 2);
  EXPECT_EQ(run_app("--check " + directory_.file("none.h5")).exit_code, 2);
  fs::remove(output_);
  const AppResult stopped = run("--quiet --checksum", {.fault = "signal-15:15:output.h5.part"});
  ASSERT_EQ(stopped.exit_code, 4);
  const AppResult unfinished = run_app("--check " + part_);
  EXPECT_EQ(unfinished.exit_code, 2);
  EXPECT_NE(unfinished.standard_error.find("output: expected a complete output, found one that is "
                                           "not\n"),
            std::string::npos)
      << unfinished.standard_error;
}

TEST_F(AppChecksum, IsCheckedOfEveryFile) {
  const std::string second = directory_.file("second.h5");
  ASSERT_EQ(run("--quiet --checksum").exit_code, 0);
  fs::copy_file(output_, second);
  flip(address_of(output_, "output"));
  const AppResult result = run_app("--check " + output_ + " " + second);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.standard_output, second + ": all rows of 12 images have their checksums\n");
  EXPECT_EQ(result.messages().size(), 1U);
}

/// Rows of one image on each rank.
TEST_F(AppChecksum, IsTheSameWhereImagesAreSplit) {
  Problem problem = twelve_images();
  Shape one = problem.shape;
  one.batch = 1;
  one.height = 40;
  const std::string input = directory_.file("one.h5");
  write_input(input, random_problem(one, 3));
  std::vector<std::string> contents;
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 2}, AppLaunch{.ranks = 3}}) {
    const std::string output = directory_.file("one_output.h5");
    const AppResult result = run_app(input + " --quiet --checksum -o " + output, launch);
    ASSERT_EQ(result.exit_code, 0) << result.standard_error;
    std::ifstream file(output, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(address_of(output, "output_crc32")));
    std::string bytes(static_cast<std::size_t>(channels * 40 * 4), '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    contents.push_back(bytes);
    EXPECT_EQ(run_app("--check " + output, launch).exit_code, 0);
  }
  EXPECT_EQ(contents[1], contents[0]);
  EXPECT_EQ(contents[2], contents[0]);
}

}  // namespace
}  // namespace fusedconv::test
