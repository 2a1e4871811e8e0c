// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <hdf5.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "app_interruption.hpp"
#include "backend_names.hpp"
#include "hdf5/element_type.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;
namespace hdf5 = app::hdf5;

/// Calls a function with the open dataset `output`.
template <class Ask>
void with_output(const std::string& path, Ask&& ask) {
  const hid_t file = require(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t dataset = require(H5Dopen2(file, "output", H5P_DEFAULT));
  ask(dataset);
  require(H5Dclose(dataset));
  require(H5Fclose(file));
}

class AppOutput : public AppInterrupted {
 protected:
  /// The output is stored in chunks, shuffled and compressed by this filter at this level.
  void expect_compressed(H5Z_filter_t compression, unsigned expected_level) const {
    with_output(output_, [&](hid_t dataset) {
      const hid_t creation = require(H5Dget_create_plist(dataset));
      EXPECT_EQ(H5Pget_layout(creation), H5D_CHUNKED);
      std::vector<H5Z_filter_t> filters;
      unsigned flags = 0;
      unsigned level = 0;
      std::size_t values = 1;
      for (int filter = 0; filter < H5Pget_nfilters(creation); ++filter) {
        filters.push_back(H5Pget_filter2(creation, static_cast<unsigned>(filter), &flags, &values,
                                         &level, 0, nullptr, nullptr));
      }
      EXPECT_EQ(filters, (std::vector<H5Z_filter_t>{H5Z_FILTER_SHUFFLE, compression}));
      EXPECT_EQ(level, expected_level);
      require(H5Pclose(creation));
    });
  }
};

TEST_F(AppOutput, IsStoredInSixteenBitsAsFloat32Rounds) {
  for (const auto type : {hdf5::ElementType::float16, hdf5::ElementType::bfloat16}) {
    for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 3}}) {
      SCOPED_TRACE(hdf5::to_string(type) + " " + to_string(launch));
      fs::remove(output_);
      const AppResult result = run("--quiet --output-type " + hdf5::to_string(type), launch);
      ASSERT_EQ(result.exit_code, 0) << result.standard_error;
      std::vector<float> rounded;
      for (const float value : expected_) rounded.push_back(hdf5::rounded(value, type));
      EXPECT_TRUE(same_bits(read_floats(output_, "output"), rounded));
      with_output(output_, [&](hid_t dataset) {
        const hid_t stored = require(H5Dget_type(dataset));
        EXPECT_EQ(H5Tget_size(stored), 2U);
        EXPECT_GT(H5Tequal(stored, hdf5::stored_type(type).id()), 0);
        EXPECT_EQ(H5Dget_storage_size(dataset), 2 * rounded.size());
        require(H5Tclose(stored));
      });
    }
  }
}

/// What is compared is what is stored.
TEST_F(AppOutput, IsComparedAsItIsRounded) {
  const std::string reference = directory_.file("reference.h5");
  ASSERT_EQ(run_app(input_ + " --quiet --output-type bfloat16 -o " + reference).exit_code, 0);
  EXPECT_EQ(run("--quiet --output-type bfloat16 --tolerance 0 --verify " + reference).exit_code, 0);
  EXPECT_EQ(run("--quiet --tolerance 1e-4 --verify " + reference).exit_code, 3);
}

TEST_F(AppOutput, IsCompressedWithTheSameBits) {
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 3}}) {
    SCOPED_TRACE(to_string(launch));
    fs::remove(output_);
    const AppResult result = run("--quiet --compress gzip 4", launch);
    ASSERT_EQ(result.exit_code, 0) << result.standard_error;
    expect_whole();
    EXPECT_FALSE(fs::exists(part_ + ".compressed"));
    EXPECT_EQ(read_string_attribute(output_, "input_file"), input_);
    expect_compressed(H5Z_FILTER_DEFLATE, 4);
  }
}

TEST_F(AppOutput, IsCompressedByZstdWhereItsPluginIs) {
  constexpr H5Z_filter_t zstd = 32015;
  if (H5Zfilter_avail(zstd) <= 0) {
    const AppResult refused = run("--quiet --compress zstd 3");
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_NE(refused.standard_error.find("HDF5_PLUGIN_PATH"), std::string::npos);
    GTEST_SKIP() << "HDF5 finds no plugin for zstd: set HDF5_PLUGIN_PATH to its directory";
  }
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 3}}) {
    SCOPED_TRACE(to_string(launch));
    fs::remove(output_);
    const AppResult result = run("--quiet --compress zstd 3", launch);
    ASSERT_EQ(result.exit_code, 0) << result.standard_error;
    expect_whole();
    expect_compressed(zstd, 3);
  }
}

TEST_F(AppOutput, IsCompressedAfterAnInterruptionInTheMiddleOfIt) {
  const std::string arguments = "--quiet --compress gzip 9";
  // While it is compressed nothing else is written.
  ASSERT_EQ(run(arguments, {.fault = "kill:3:part.compressed"}).exit_code, 128 + SIGKILL);
  expect_unfinished();
  ASSERT_EQ(run(arguments + " --resume", {.fault = "kill:1:part.compressed"}).exit_code,
            128 + SIGKILL);
  expect_unfinished();
  ASSERT_EQ(run(arguments + " --resume", {.ranks = 2}).exit_code, 0);
  expect_whole();
  // A signal that comes with the last entry is obeyed before the output is compressed.
  fs::remove(output_);
  ASSERT_EQ(run(arguments, {.fault = "signal-15:46:output.h5.part"}).exit_code, 4);
  expect_unfinished();
  ASSERT_EQ(run(arguments + " --resume").exit_code, 0);
  expect_whole();
}

TEST_F(AppOutput, BeginsWhereItIsAligned) {
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 2}}) {
    ASSERT_EQ(run("--quiet --hdf5-alignment 65536", launch).exit_code, 0);
    EXPECT_EQ(address_of(output_, "output") % 65536, 0U);
    expect_whole();
  }
}

TEST_F(AppOutput, HasTheSameBitsHoweverItIsTransferred) {
  const std::string backend = " --backend " + app::backend_names().back();
  const std::string whole = directory_.file("whole.h5");
  ASSERT_EQ(run_app(input_ + backend + " --quiet -o " + whole).exit_code, 0);
  expected_ = read_floats(whole, "output");
  // Whole images, and rows in two sweeps: enough memory for half of an image.
  for (const char* pieces : {" --chunk 2", " --memory 22K"}) {
    for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 3}}) {
      SCOPED_TRACE(to_string(launch) + pieces);
      for (const char* transfer : {"independent", "mapped"}) {
        fs::remove(output_);
        const std::string how = std::string(" --hdf5-transfer ") + transfer;
        const AppResult result =
            run_app(input_ + backend + " --quiet -o " + output_ + pieces + how, launch);
        ASSERT_EQ(result.exit_code, 0) << result.standard_error;
        expect_whole();
      }
    }
  }
}

TEST_F(AppOutput, IsResumedHoweverItIsTransferred) {
  // What is mapped is written without a call: the calls that are counted flush and enter it.
  int kills = 0;
  for (int call = 10; call < 40; call += 3) {
    const std::string mapped = "--quiet --resume --hdf5-transfer mapped";
    const int code =
        run(mapped, {.fault = "kill:" + std::to_string(call) + ":output.h5.part"}).exit_code;
    if (code == 0) break;
    ASSERT_EQ(code, 128 + SIGKILL);
    ++kills;
    const std::string next = kills % 2 == 0 ? mapped : "--quiet --resume";
    if (kills % 3 == 0) {
      ASSERT_EQ(run(next, {.ranks = 2}).exit_code, 0);
      expect_whole();
      fs::remove(output_);
    }
  }
  EXPECT_GT(kills, 3);
  ASSERT_EQ(run("--quiet --resume --hdf5-transfer mapped", {.ranks = 3}).exit_code, 0);
  expect_whole();
}

TEST_F(AppOutput, TakesHintsToMPIIO) {
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 2}}) {
    const AppResult result =
        run("--quiet --hdf5-hint romio_cb_write=disable --hdf5-hint striping_factor=2", launch);
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    expect_whole();
  }
}

}  // namespace
}  // namespace fusedconv::test
