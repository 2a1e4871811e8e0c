// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app_files.hpp"
#include "app_program.hpp"
#include "backend_names.hpp"
#include "reference.hpp"
#include "same_bits.hpp"
#include "temporary_directory.hpp"
#include "text_pattern.hpp"
#include "version.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

/// Seven images with borders, strides and channel groups.
Problem seven_images() {
  Shape shape;
  shape.batch = 7;
  shape.in_channels = 6;
  shape.height = 37;
  shape.width = 41;
  shape.out_channels = 8;
  shape.kernel_size = {3, 5};
  shape.stride = {1, 2};
  shape.padding = {1, 0};
  shape.dilation = {2, 1};
  shape.groups = 2;
  shape.num_groups = 4;
  shape.eps = 1e-3;
  return random_problem(shape, 7);
}

/// Puts the output that the oracle finds into a file.
void write_reference(const std::string& path, const Problem& problem, hid_t type = H5T_IEEE_F64LE) {
  const std::vector<double> output = reference(problem);
  const Shape& shape = problem.shape;
  const Extents extents{static_cast<hsize_t>(shape.batch), static_cast<hsize_t>(shape.out_channels),
                        static_cast<hsize_t>(shape.output_height()),
                        static_cast<hsize_t>(shape.output_width())};
  replace_dataset(path, "output", {extents, type}, {output.begin(), output.end()});
}

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

class AppRun : public testing::Test {
 protected:
  /// Writes an input with its reference beside it.
  void write(const Problem& problem) {
    write_input(input_, problem);
    write_input(reference_, problem);
    write_reference(reference_, problem);
  }

  AppResult run(const std::string& arguments, const AppLaunch& launch = {}) const {
    return run_app(input_ + " -o " + output_ + " " + arguments, launch);
  }

  void expect_no_output() const {
    EXPECT_FALSE(fs::exists(output_));
    EXPECT_FALSE(fs::exists(output_ + ".part"));
  }

  TemporaryDirectory directory_;
  std::string input_ = directory_.file("input.h5");
  std::string reference_ = directory_.file("reference.h5");
  std::string output_ = directory_.file("output.h5");
};

TEST_F(AppRun, ComputesWhatTheReferenceSaysOnEveryBackend) {
  write(seven_images());
  for (const std::string& backend : app::backend_names()) {
    for (const AppLaunch& launch : {AppLaunch{.ranks = 0}, AppLaunch{.ranks = 3}}) {
      SCOPED_TRACE(backend + " " + to_string(launch));
      const AppResult result =
          run("--verify " + reference_ + " --tolerance 1e-6 --backend " + backend, launch);
      EXPECT_EQ(result.exit_code, 0) << result.standard_error;
      EXPECT_EQ(result.standard_error, "");
      EXPECT_NE(result.standard_output.find("verify     passed"), std::string::npos)
          << result.standard_output;
      EXPECT_NE(result.standard_output.find("backend    " + backend), std::string::npos);
      EXPECT_EQ(read_string_attribute(output_, "backend"), backend);
    }
  }
}

TEST_F(AppRun, WritesTheSameBitsForAnyRanksThreadsAndPieces) {
  // On eight ranks the seven images are split by rows, unless --chunk forbids it. The memory is
  // enough for some rows, so that images are split on any number of ranks, and swept twice on few.
  write(seven_images());
  for (const std::string& backend : app::backend_names()) {
    std::vector<float> expected;
    for (const int ranks : {1, 2, 3, 5, 8}) {
      int threads = 1;
      for (const std::string pieces :
           {" --chunk 1", " --chunk 3", "", " --memory 96K --device-memory 256K"}) {
        const AppLaunch launch{.ranks = ranks, .threads = threads};
        SCOPED_TRACE(backend + " " + to_string(launch) + ", " + std::to_string(threads) +
                     " threads" + pieces);
        threads = 3 - threads;
        fs::remove(output_);
        const AppResult result = run("--quiet --backend " + backend + pieces, launch);
        ASSERT_EQ(result.exit_code, 0) << result.standard_error;
        const std::vector<float> found = read_floats(output_, "output");
        if (expected.empty()) expected = found;
        EXPECT_TRUE(same_bits(found, expected));
      }
    }
  }
}

TEST_F(AppRun, SplitsImagesWhereItSaysSo) {
  write(seven_images());
  const auto plan = [&](const std::string& arguments, const AppLaunch& launch) {
    const AppResult result =
        run("--dry-run --backend " + app::backend_names().back() + " " + arguments, launch);
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    return result.standard_output;
  };
  EXPECT_NE(plan("", {.ranks = 8}).find("of images 0 to 6 on"), std::string::npos);
  EXPECT_EQ(plan("--chunk 3", {.ranks = 8}).find("rows at a time"), std::string::npos);
  EXPECT_EQ(plan("", {.ranks = 7}).find("rows at a time"), std::string::npos);
  const std::string small = plan("--memory 96K", {.ranks = 1});
  EXPECT_NE(small.find("rows at a time each, in two sweeps"), std::string::npos) << small;
  EXPECT_NE(small.find("96.0 KiB allowed"), std::string::npos) << small;
}

TEST_F(AppRun, SaysHowMuchMemoryItNeedsAtLeast) {
  write(seven_images());
  for (const AppLaunch& launch : {AppLaunch{.ranks = 0}, AppLaunch{.ranks = 2}}) {
    const AppResult result = run("--memory 1K", launch);
    EXPECT_EQ(result.exit_code, 2);
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_TRUE(begins_with(result.messages().front(),
                            "fusedconv_app: " + input_ +
                                ": --memory: expected at least # bytes, "
                                "which the smallest piece of this layer takes, found 1024"))
        << result.messages().front();
    expect_no_output();
  }
}

/// Eight images of two mebibytes of input and sixteen of output.
Problem eight_images() {
  Shape shape;
  shape.batch = 8;
  shape.in_channels = 1;
  shape.height = 512;
  shape.width = 1024;
  shape.out_channels = 8;
  return random_problem(shape, 3);
}

TEST_F(AppRun, TakesNoMoreMemoryThanItMay) {
  constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
  const std::string report = directory_.file("report.json");
  const auto peak = [&](const std::string& pieces) {
    const AppResult result = run("--quiet --backend " + app::backend_names().back() + " --report " +
                                 report + " " + pieces);
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    return read_json(report)["ranks"][0]["peak_memory_bytes"].get<std::int64_t>();
  };
  write_input(input_, small_problem());
  const std::int64_t least = peak("");
  ASSERT_GT(least, 0);
  write_input(input_, eight_images());
  EXPECT_GT(peak("--chunk 4"), least + 128 * mebibyte);
  const std::int64_t several_images = peak("--memory 40M");
  EXPECT_GT(several_images, least + 20 * mebibyte);
  EXPECT_LT(several_images, least + 44 * mebibyte);
  EXPECT_LT(peak("--memory 8M"), least + 12 * mebibyte);
}

TEST_F(AppRun, TellsItsProgressInALogFile) {
  write(seven_images());
  const AppResult result = run("--chunk 1 --log-interval 1e-6", {.ranks = 3});
  EXPECT_EQ(result.exit_code, 0);
  const std::vector<std::string> lines = result.messages();
  ASSERT_GE(lines.size(), 2);
  for (const std::string& line : lines) {
    EXPECT_NE(line.find(" of 7 images, "), std::string::npos) << line;
    EXPECT_NE(line.find(" GB/s, "), std::string::npos) << line;
  }
  EXPECT_EQ(run("--quiet --chunk 1 --log-interval 1e-6").standard_error, "");
}

TEST_F(AppRun, WorksWithMoreRanksThanImagesOrBlocksOfRows) {
  write(small_problem());
  const AppResult whole = run("--chunk 1 --verify " + reference_, {.ranks = 5});
  EXPECT_EQ(whole.exit_code, 0) << whole.standard_error;
  EXPECT_NE(whole.standard_output.find("no images on"), std::string::npos);
  const AppResult split = run("--verify " + reference_, {.ranks = 5});
  EXPECT_EQ(split.exit_code, 0) << split.standard_error;
  EXPECT_NE(split.standard_output.find("no rows of images 0 to 2 on"), std::string::npos)
      << split.standard_output;
}

TEST_F(AppRun, NamesTheOutputAfterTheInput) {
  write(small_problem());
  EXPECT_EQ(run_app(input_ + " --quiet").exit_code, 0);
  EXPECT_TRUE(fs::exists(directory_.file("input_output.h5")));
}

TEST_F(AppRun, SaysHowTheOutputWasMade) {
  write(small_problem());
  ASSERT_EQ(
      run("--algorithm direct --backend " + app::backend_names().back(), {.ranks = 2}).exit_code,
      0);
  EXPECT_EQ(read_integer_attribute(output_, "complete"), 1);
  EXPECT_EQ(read_integer_attribute(output_, "ranks"), 2);
  EXPECT_EQ(read_integer_attribute(output_, "input_file_size"),
            static_cast<std::int64_t>(fs::file_size(input_)));
  EXPECT_EQ(read_string_attribute(output_, "input_file"), input_);
  EXPECT_EQ(read_string_attribute(output_, "version"), app::version);
  EXPECT_EQ(read_string_attribute(output_, "commit"), app::commit);
  EXPECT_EQ(read_string_attribute(output_, "backend"), app::backend_names().back());
  EXPECT_EQ(read_string_attribute(output_, "activation"), "sigmoid");
  EXPECT_EQ(read_string_attribute(output_, "precision"), "fp32");
  EXPECT_EQ(read_string_attribute(output_, "algorithm"), "direct");
  EXPECT_NE(read_string_attribute(output_, "device"), "");
  const std::string start = read_string_attribute(output_, "start_time");
  const std::string end = read_string_attribute(output_, "end_time");
  EXPECT_EQ(start.size(), 20);
  EXPECT_TRUE(begins_with(start, "#-#-#T#:#:#Z")) << start;
  EXPECT_TRUE(begins_with(end, "#-#-#T#:#:#Z")) << end;
  EXPECT_LE(start, end);
}

TEST_F(AppRun, ComputesTheActivationOfTheFileOrTheOneAskedFor) {
  Problem problem = small_problem();
  problem.shape.activation = Activation::gelu;
  write(problem);
  const std::string report = directory_.file("report.json");
  const auto expect_gelu = [&](const std::string& arguments) {
    const AppResult result = run(arguments + " --verify " + reference_ + " --report " + report);
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    EXPECT_NE(result.standard_output.find(", gelu\n"), std::string::npos) << result.standard_output;
    EXPECT_EQ(read_string_attribute(output_, "activation"), "gelu");
    EXPECT_EQ(read_json(report)["shape"]["activation"], "gelu");
  };
  expect_gelu("--activation gelu");
  replace_attribute(input_, "activation", std::string("gelu"));
  expect_gelu("");
}

TEST_F(AppRun, SaysThePrecisionAskedFor) {
  write(small_problem());
  const std::string report = directory_.file("report.json");
  for (const std::string precision : {"fp32", "tf32"}) {
    for (const std::string& backend : app::backend_names()) {
      SCOPED_TRACE(precision + " on " + backend);
      const std::string arguments = "--precision " + precision + " --backend " + backend;
      const std::string words = "backend    " + backend + ", " + precision + "\n";
      const AppResult dry = run("--dry-run " + arguments);
      EXPECT_EQ(dry.exit_code, 0) << dry.standard_error;
      EXPECT_NE(dry.standard_output.find(words), std::string::npos) << dry.standard_output;
      const AppResult result =
          run(arguments + " --tolerance 1e-3 --verify " + reference_ + " --report " + report);
      EXPECT_EQ(result.exit_code, 0) << result.standard_error;
      EXPECT_NE(result.standard_output.find(words), std::string::npos) << result.standard_output;
      EXPECT_EQ(read_string_attribute(output_, "precision"), precision);
      EXPECT_EQ(read_json(report)["precision"], precision);
    }
  }
}

TEST_F(AppRun, RefusesTensorCoresWhereThereAreNone) {
  write(small_problem());
  for (const std::string& backend : app::backend_names()) {
    if (backend == "cuda") continue;
    SCOPED_TRACE(backend);
    const AppResult result = run("--algorithm tensor_core --backend " + backend, {.ranks = 2});
    EXPECT_EQ(result.exit_code, 2);
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_NE(result.messages().front().find("algorithm: expected one"), std::string::npos)
        << result.messages().front();
    expect_no_output();
  }
}

TEST_F(AppRun, WritesAContiguousDatasetOfFloat32) {
  write(small_problem());
  ASSERT_EQ(run("--quiet").exit_code, 0);
  const hid_t file = require(H5Fopen(output_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const hid_t dataset = require(H5Dopen2(file, "output", H5P_DEFAULT));
  const hid_t creation = require(H5Dget_create_plist(dataset));
  const hid_t type = require(H5Dget_type(dataset));
  EXPECT_EQ(H5Pget_layout(creation), H5D_CONTIGUOUS);
  EXPECT_GT(H5Tequal(type, H5T_IEEE_F32LE), 0);
  require(H5Tclose(type));
  require(H5Pclose(creation));
  require(H5Dclose(dataset));
  require(H5Fclose(file));
}

TEST_F(AppRun, ReplacesAnOutputByRenamingTheUnfinishedOne) {
  write(small_problem());
  std::ofstream(output_) << "an older output";
  std::ofstream(output_ + ".part") << "what a run that was killed has left";
  const fs::path older = directory_.file("older.h5");
  fs::create_hard_link(output_, older);
  ASSERT_EQ(run("--quiet", {.ranks = 2}).exit_code, 0);
  EXPECT_FALSE(fs::exists(output_ + ".part"));
  EXPECT_FALSE(fs::equivalent(output_, older));
  EXPECT_EQ(fs::file_size(older), std::string("an older output").size());
  EXPECT_EQ(read_integer_attribute(output_, "complete"), 1);
}

TEST_F(AppRun, ReadsIntegersAndChunks) {
  Problem problem = small_problem();
  for (float& value : problem.input) value = std::floor(value * 250);
  write_input(input_, problem);
  write_input(reference_, problem);
  write_reference(reference_, problem, H5T_IEEE_F32BE);
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I64BE}) {
    for (const Extents& chunk : {Extents{}, Extents{2, 3, 4, 5}}) {
      replace_dataset(input_, "input", {{3, 4, 6, 5}, type, chunk}, problem.input);
      const AppResult result = run("--verify " + reference_, {.ranks = 2});
      EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    }
  }
}

TEST_F(AppRun, TakesParametersFromAnotherFile) {
  const Problem problem = small_problem();
  write(problem);
  const std::string parameters = directory_.file("parameters.h5");
  fs::copy_file(input_, parameters);
  remove_object(parameters, "input");
  replace_dataset(input_, "conv.weight", {{8, 4, 3, 3}}, std::vector<float>(288, 1));
  replace_attribute(input_, "group_norm.num_groups", std::int64_t{1});
  EXPECT_EQ(run("--verify " + reference_).exit_code, 3);
  const AppResult result =
      run("--verify " + reference_ + " --parameters " + parameters, {.ranks = 2});
  EXPECT_EQ(result.exit_code, 0) << result.standard_error;
  EXPECT_NE(result.standard_output.find("parameters " + parameters), std::string::npos);
}

TEST_F(AppRun, PassesNaNAndInfinityOn) {
  Problem problem = small_problem();
  problem.input[0] = std::numeric_limits<float>::quiet_NaN();
  problem.input[130] = std::numeric_limits<float>::infinity();
  write(problem);
  const AppResult result = run("--verify " + reference_);
  EXPECT_EQ(result.exit_code, 0) << result.standard_output << result.standard_error;
}

TEST_F(AppRun, FailsVerificationPastTheTolerance) {
  Problem problem = small_problem();
  write(problem);
  std::vector<float> output = read_floats(reference_, "output");
  output[200] += 0.25F;  // image 2, channel 0, row 2, column 2
  replace_dataset(reference_, "output", {{3, 8, 4, 3}}, output);
  const std::string report = directory_.file("report.json");
  for (const AppLaunch& launch : {AppLaunch{.ranks = 0}, AppLaunch{.ranks = 3}}) {
    SCOPED_TRACE(to_string(launch));
    fs::remove(output_);
    const AppResult result = run("--verify " + reference_ + " --report " + report, launch);
    EXPECT_EQ(result.exit_code, 3);
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_NE(result.messages().front().find("expected a relative L2 error to " + reference_ +
                                             " of at most 1e-05, found"),
              std::string::npos)
        << result.messages().front();
    EXPECT_NE(result.standard_output.find("verify     FAILED"), std::string::npos);
    EXPECT_EQ(read_integer_attribute(output_, "complete"), 1);
    const nlohmann::json verification = read_json(report)["verification"];
    EXPECT_EQ(verification["passed"], false);
    EXPECT_EQ(verification["at"], (std::vector<int>{2, 0, 2, 2}));
    EXPECT_NEAR(verification["maximum"].get<double>(), 0.25, 1e-5);
    double norm = 0;
    for (const double value : output) norm += value * value;
    EXPECT_NEAR(verification["relative_l2"].get<double>(), 0.25 / std::sqrt(norm), 1e-6);
  }
  EXPECT_EQ(run("--tolerance 1 --verify " + reference_).exit_code, 0);
}

TEST_F(AppRun, FailsVerificationWhereOnlyOneHasNaN) {
  write(small_problem());
  std::vector<float> output = read_floats(reference_, "output");
  output[17] = std::numeric_limits<float>::quiet_NaN();
  replace_dataset(reference_, "output", {{3, 8, 4, 3}}, output);
  const AppResult result = run("--tolerance 1e30 --verify " + reference_, {.ranks = 2});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_NE(result.standard_output.find("1 elements NaN or infinite where the other is not"),
            std::string::npos)
      << result.standard_output;
}

TEST_F(AppRun, SaysWhatItWouldDoAndStops) {
  write(seven_images());
  const AppResult result = run("--dry-run --chunk 2 --algorithm direct", {.ranks = 3});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.standard_error, "");
  for (const std::string text :
       {"7x6x37x41 -> 7x8x35x19", "3, at most 2 images at a time each", "images 0 to 2 on",
        "images 3 to 4 on", "images 5 to 6 on", "algorithm  direct", "of host memory a rank"}) {
    EXPECT_NE(result.standard_output.find(text), std::string::npos) << text << " is not in\n"
                                                                    << result.standard_output;
  }
  expect_no_output();
}

TEST_F(AppRun, ReportsInJSON) {
  write(seven_images());
  const std::string path = directory_.file("report.json");
  ASSERT_EQ(run("--quiet --algorithm direct --chunk 2 --repeat 3 --verify " + reference_ +
                    " --report " + path,
                {.ranks = 2})
                .exit_code,
            0);
  const nlohmann::json report = read_json(path);
  EXPECT_EQ(report["version"], app::version);
  EXPECT_EQ(report["commit"], app::commit);
  EXPECT_EQ(report["input"], input_);
  EXPECT_EQ(report["parameters"], input_);
  EXPECT_EQ(report["output"], output_);
  EXPECT_EQ(report["backend"], app::backend_names().front());
  EXPECT_EQ(report["precision"], "fp32");
  EXPECT_EQ(report["algorithm"], "direct");
  EXPECT_EQ(report["chunk"], 2);
  EXPECT_EQ(report["repeat"], 3);
  EXPECT_EQ(report["shape"]["batch"], 7);
  EXPECT_EQ(report["shape"]["output_width"], 19);
  EXPECT_EQ(report["shape"]["stride"], (std::vector<int>{1, 2}));
  EXPECT_EQ(report["verification"]["passed"], true);
  EXPECT_EQ(report["verification"]["tolerance"], 1e-5);
  ASSERT_EQ(report["ranks"].size(), 2);
  EXPECT_EQ(report["ranks"][0]["images"]["count"], 4);
  EXPECT_EQ(report["ranks"][1]["images"]["first"], 4);
  for (const nlohmann::json& rank : report["ranks"]) {
    EXPECT_NE(rank["host"], "");
    EXPECT_NE(rank["processor"], "");
    EXPECT_LE(rank["seconds"]["compute"], report["seconds"]["compute"]);
    EXPECT_LE(rank["seconds"]["compute_minimum"], rank["seconds"]["compute"]);
  }
  for (const char* key : {"read", "transfer", "compute", "compute_minimum", "write", "total"}) {
    EXPECT_GE(report["seconds"][key], 0.0) << key;
  }
  for (const char* key : {"images_per_second", "gflops", "read_gbs", "write_gbs"}) {
    EXPECT_GT(report[key], 0.0) << key;
  }
  EXPECT_GT(report["memory_bytes"]["host"], 0);
}

TEST_F(AppRun, ComputesTheSameHoweverOftenItRepeats) {
  write(small_problem());
  ASSERT_EQ(run("--quiet").exit_code, 0);
  const std::vector<float> once = read_floats(output_, "output");
  const AppResult result = run("--repeat 4 --chunk 2");
  ASSERT_EQ(result.exit_code, 0);
  EXPECT_NE(result.standard_output.find("median of 4"), std::string::npos);
  EXPECT_TRUE(same_bits(read_floats(output_, "output"), once));
}

TEST_F(AppRun, PrintsNothingWhenQuiet) {
  write(small_problem());
  const AppResult result = run("--quiet --verify " + reference_, {.ranks = 2});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.standard_output, "");
  EXPECT_EQ(result.standard_error, "");
}

TEST_F(AppRun, LetsRankZeroAloneSpeak) {
  for (const std::string question : {"--help", "--version"}) {
    const AppResult alone = run_app(question);
    const AppResult together = run_app(question, {.ranks = 3});
    EXPECT_EQ(alone.exit_code, 0);
    EXPECT_EQ(together.exit_code, 0);
    EXPECT_NE(alone.standard_output, "");
    EXPECT_EQ(together.standard_output, alone.standard_output);
    EXPECT_EQ(together.standard_error, "");
  }
}

/// Spoils the last of three images, each a chunk with a checksum.
void spoil_last_image(const std::string& path, const Problem& problem) {
  replace_dataset(path, "input", {{3, 4, 6, 5}, H5T_IEEE_F32LE, {1, 4, 6, 5}, true}, problem.input);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(address_of(path, "input", 2)) + 100);
  file << "spoilt";
}

TEST_F(AppRun, EndsAllRanksWhereOneCannotRead) {
  write(small_problem());
  spoil_last_image(input_, small_problem());
  std::ofstream(output_) << "an older output";
  for (const AppLaunch& launch : {AppLaunch{.ranks = 0}, AppLaunch{.ranks = 3}}) {
    SCOPED_TRACE(to_string(launch));
    const AppResult result = run("--chunk 1", launch);
    EXPECT_EQ(result.exit_code, 1);
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    const std::string who = launch.ranks == 0 ? "" : "rank 2: ";
    EXPECT_TRUE(result.messages().front().starts_with("fusedconv_app: " + who + input_ +
                                                      ": input: could not read: "))
        << result.messages().front();
    EXPECT_EQ(fs::file_size(output_), std::string("an older output").size());
    // Whether other images were complete is up to who was faster.
    fs::remove(output_ + ".part");
    fs::remove(output_ + ".part.record");
  }
}

TEST_F(AppRun, NamesTheBytesThatDoNotFitAndThoseThatWereFree) {
  // Rows of a hundred gigabytes that take no room on the disk.
  const hsize_t channels = 25;
  const hsize_t width = hsize_t{1} << 30;
  write(small_problem());
  remove_object(input_, "input");
  change_file(input_, [&](hid_t file) {
    const Extents extents{1, channels, 1, width};
    const hid_t space = require(H5Screate_simple(4, extents.data(), nullptr));
    const hid_t creation = require(H5Pcreate(H5P_DATASET_CREATE));
    require(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY));
    require(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER));
    require(H5Dclose(require(
        H5Dcreate2(file, "input", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT))));
    require(H5Pclose(creation));
    require(H5Sclose(space));
  });
  replace_dataset(input_, "conv.weight", {{8, channels, 1, 1}},
                  std::vector<float>(8 * channels, 1));
  for (const AppLaunch& launch : {AppLaunch{.ranks = 0}, AppLaunch{.ranks = 2}}) {
    SCOPED_TRACE(to_string(launch));
    const AppResult result = run("", launch);
    EXPECT_EQ(result.exit_code, 1);
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    const std::string sentence =
        "fusedconv_app: buffers and workspace of a piece: could not allocate # bytes in Kokkos "
        "memory space Host; free were # bytes on the host";
    EXPECT_TRUE(begins_with(result.messages().front(), sentence)) << result.messages().front();
    expect_no_output();
  }
}

}  // namespace
}  // namespace fusedconv::test
