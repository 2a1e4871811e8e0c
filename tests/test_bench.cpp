// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backend_names.hpp"
#include "run_program.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

using nlohmann::ordered_json;

ordered_json read_json(const std::string& path) {
  std::ifstream file(path);
  return ordered_json::parse(file);
}

TEST(BenchProgram, JsonHoldsTheFiguresOfEveryBackend) {
  for (const std::string& backend : app::backend_names()) {
    SCOPED_TRACE(backend);
    const TemporaryDirectory directory;
    const std::string path = directory.file("bench.json");
    const ProgramResult result =
        run_program(FUSEDCONV_BENCH " --shape tiny --n 3 --repeat 4 --algorithm direct --backend " +
                    backend + " --json " + path);
    ASSERT_EQ(result.exit_code, 0) << result.output;
    const ordered_json json = read_json(path);

    std::vector<std::string> keys;
    for (const auto& [key, value] : json.items()) keys.push_back(key);
    EXPECT_EQ(keys, (std::vector<std::string>{
                        "version", "commit", "shape", "n", "sizes", "backend", "processor",
                        "threads", "algorithm", "precision", "median_ms", "min_ms", "max_ms",
                        "gflops", "fma_gflops", "copy_gbs", "floor_ms", "time_over_floor"}));
    EXPECT_EQ(json.at("shape"), "tiny");
    EXPECT_EQ(json.at("n"), 3);
    EXPECT_EQ(json.at("backend"), backend);
    EXPECT_FALSE(json.at("processor").get<std::string>().empty());
    EXPECT_GE(json.at("threads").get<int>(), 0);
    EXPECT_EQ(json.at("algorithm"), "direct");
    EXPECT_EQ(json.at("precision"), "fp32");

    const auto number = [&](const char* key) { return json.at(key).get<double>(); };
    EXPECT_GT(number("min_ms"), 0);
    EXPECT_LE(number("min_ms"), number("median_ms"));
    EXPECT_LE(number("median_ms"), number("max_ms"));
    EXPECT_GT(number("fma_gflops"), 0);
    EXPECT_GT(number("copy_gbs"), 0);

    // tiny: 3 images of 3 to 8 channels, 16x16 to 14x14, 3x3.
    const double flop = 2.0 * (3 * 8 * 14 * 14) * (3 * 9);
    const double bytes = 4.0 * (3 * 3 * 16 * 16 + 3 * 8 * 14 * 14);
    const auto expect_close = [](double value, double expected) {
      EXPECT_NEAR(value, expected, 1e-9 * expected);
    };
    expect_close(number("gflops"), flop / number("median_ms") * 1e-6);
    expect_close(number("floor_ms"),
                 std::max(flop / number("fma_gflops") * 1e-6, bytes / number("copy_gbs") * 1e-6));
    expect_close(number("time_over_floor"), number("median_ms") / number("floor_ms"));

    for (const char* words : {"median", "floor", "time/floor", backend.c_str()}) {
      EXPECT_NE(result.output.find(words), std::string::npos) << words << ":\n" << result.output;
    }
  }
}

TEST(BenchProgram, PrecisionAskedForIsSaid) {
  for (const std::string precision : {"fp32", "tf32"}) {
    SCOPED_TRACE(precision);
    const TemporaryDirectory directory;
    const std::string path = directory.file("bench.json");
    const ProgramResult result = run_program(
        FUSEDCONV_BENCH " --shape tiny --repeat 1 --precision " + precision + " --json " + path);
    ASSERT_EQ(result.exit_code, 0) << result.output;
    EXPECT_EQ(read_json(path).at("precision"), precision);
    EXPECT_NE(result.output.find(", " + precision + "\n"), std::string::npos) << result.output;
  }
}

TEST(BenchProgram, ErrorIsThatOfFloat32) {
  // Borders, strides, dilations and channel groups: what the float64 loops could mistake.
  const std::string layers[] = {
      "--shape tiny",
      "--n 2 --cin 6 --h 20 --w 16 --cout 8 --kernel 5 3 --stride 2 1 --padding 1 0"
      " --dilation 1 2 --groups 2 --num-groups 4",
      "--shape tiny --padding 2 1 --groups 1 --num-groups 8"};
  for (const std::string& backend : app::backend_names()) {
    for (const std::string& layer : layers) {
      SCOPED_TRACE(backend + " " + layer);
      const TemporaryDirectory directory;
      const std::string path = directory.file("bench.json");
      const ProgramResult result = run_program(FUSEDCONV_BENCH " --error --repeat 1 --backend " +
                                               backend + " " + layer + " --json " + path);
      ASSERT_EQ(result.exit_code, 0) << result.output;
      const double error = read_json(path).at("relative_l2_error").get<double>();
      EXPECT_GT(error, 0);
      // Channels of little variance let float32's rounding weigh more; a mistake weighs 1e-2.
      EXPECT_LT(error, 1e-5);
      EXPECT_NE(result.output.find("error"), std::string::npos) << result.output;
    }
  }
}

TEST(BenchProgram, OtherSizesThanTheNamedShapesAreSaid) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("bench.json");
  const ProgramResult result = run_program(
      FUSEDCONV_BENCH " --shape tiny --n 1 --h 20 --repeat 1 --algorithm direct --json " + path);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(read_json(path).at("shape"), "1x3x20x16 -> 1x8x18x14, kernel 3x3, 4 groups");
}

TEST(BenchProgram, JsonHoldsEverySizeOfTheLayer) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("bench.json");
  const ProgramResult result =
      run_program(FUSEDCONV_BENCH
                  " --n 2 --cin 6 --h 20 --w 16 --cout 4 --kernel 5 3 --stride 2 1 --padding 1 0"
                  " --dilation 1 2 --groups 2 --num-groups 4 --activation gelu --repeat 1 --json " +
                  path);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(read_json(path).at("sizes"), ordered_json::parse(R"({
    "batch": 2, "in_channels": 6, "height": 20, "width": 16, "out_channels": 4,
    "output_height": 9, "output_width": 12,
    "kernel_size": [5, 3], "stride": [2, 1], "padding": [1, 0], "dilation": [1, 2],
    "groups": 2, "num_groups": 4, "eps": 1e-5, "activation": "gelu"})"));
}

TEST(BenchProgram, BadUsageIsTold) {
  const struct {
    const char* options;
    const char* object;  ///< what the message must name
  } cases[] = {{"--shape huge", "--shape"},      {"--backend abacus", "backend"},
               {"--algorithm fft", "algorithm"}, {"--precision bf16", "precision"},
               {"--repeat 0", "--repeat"},       {"--n -1", "input number of images"}};
  for (const auto& [options, object] : cases) {
    SCOPED_TRACE(options);
    const ProgramResult result = run_program(std::string(FUSEDCONV_BENCH " ") + options);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.output.find(object), std::string::npos) << result.output;
  }
}

TEST(BenchProgram, AFileThatCannotBeWrittenIsAFailure) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("missing/bench.json");
  const ProgramResult result =
      run_program(FUSEDCONV_BENCH " --shape tiny --repeat 1 --json " + path);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find(path), std::string::npos) << result.output;
}

}  // namespace
}  // namespace fusedconv::test
