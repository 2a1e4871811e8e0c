// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "app_interruption.hpp"
#include "backend_names.hpp"
#include "interruption.hpp"
#include "text_pattern.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

constexpr int killed = 128 + SIGKILL;

std::string kill_at(int call, const std::string& rank = "") {
  return "kill:" + std::to_string(call) + ":output.h5.part" + (rank.empty() ? "" : ":" + rank);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class AppResumes : public AppInterrupted {};

TEST_F(AppResumes, AfterBeingKilledAtAnySystemCallThatChangesFiles) {
  int call = 1;
  for (; call < 1000; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    fs::remove(output_);
    const int code = run("--quiet --chunk 6", {.fault = kill_at(call)}).exit_code;
    if (code == 0) break;
    ASSERT_EQ(code, killed);
    const AppResult result = run("--resume");
    ASSERT_EQ(result.exit_code, 0) << result.standard_error;
    expect_whole();
  }
  // Two pieces take a write, a flush and an entry each, at least.
  EXPECT_GT(call, 6);
  EXPECT_LT(call, 1000);
}

TEST_F(AppResumes, AfterTwentyKillsWithAnyRanksAndChunk) {
  std::mt19937 random(20);
  const auto below = [&](int most) { return std::uniform_int_distribution(0, most)(random); };
  for (int kill = 0; kill < 20; ++kill) {
    // Now and then on several ranks, one of which is killed.
    const int ranks = kill % 5 == 4 ? 3 : 0;
    const std::string rank = ranks > 0 ? std::to_string(below(2)) : "";
    const AppLaunch launch{.ranks = ranks, .fault = kill_at(1 + below(ranks > 0 ? 6 : 20), rank)};
    const AppResult result =
        run("--quiet --resume --chunk " + std::to_string(1 + below(2)), launch);
    ASSERT_NE(result.exit_code, 2) << result.standard_error;
    if (result.exit_code == 0) fs::remove(output_);
  }
  ASSERT_EQ(run("--quiet --resume", {.ranks = 2}).exit_code, 0);
  expect_whole();
}

/// The grid of WritesTheSameBitsForAnyRanksThreadsAndPieces, disturbed.
TEST_F(AppResumes, OnAnyRanksWithAnyPiecesAfterASignalAndAKill) {
  const std::string backend = " --quiet --resume --backend " + app::backend_names().back();
  ASSERT_EQ(run_app(input_ + backend + " -o " + output_).exit_code, 0);
  expected_ = read_floats(output_, "output");
  int stopped = 0;
  int ended = 0;
  for (const int ranks : {1, 2, 3, 5, 8}) {
    // The last has enough memory for half of an image, and splits images by rows.
    for (const char* pieces : {" --chunk 1", " --chunk 3", "", " --memory 22K"}) {
      SCOPED_TRACE(std::to_string(ranks) + " ranks" + pieces);
      fs::remove(output_);
      const std::string arguments = input_ + backend + " -o " + output_ + pieces;
      // When rank 0 writes its first piece; later it makes no file.
      const int signalled =
          run_app(arguments, {.ranks = ranks, .fault = "signal-15:12:output.h5.part:0"}).exit_code;
      ASSERT_TRUE(signalled == 4 || signalled == 0) << signalled;
      stopped += signalled == 4 ? 1 : 0;
      if (signalled == 0) fs::remove(output_);
      const int call = signalled == 0 ? 12 : 3;
      const int killed_code =
          run_app(arguments, {.ranks = ranks, .fault = kill_at(call, "0")}).exit_code;
      ended += killed_code != 0 ? 1 : 0;
      ASSERT_EQ(run_app(arguments, {.ranks = ranks}).exit_code, 0);
      expect_whole();
    }
  }
  // Where a rank has but one piece, a signal comes too late to leave anything.
  EXPECT_GE(stopped, 8);
  EXPECT_GE(ended, 15);
}

TEST_F(AppResumes, ImagesSplitByRows) {
  const std::string backend = " --backend " + app::backend_names().back();
  const std::string whole = directory_.file("whole.h5");
  ASSERT_EQ(run_app(input_ + backend + " --quiet -o " + whole).exit_code, 0);
  expected_ = read_floats(whole, "output");
  // Enough for half of an image.
  const std::string arguments = input_ + backend + " --memory 22K -o " + output_ + " --resume";
  const AppResult plan = run_app(arguments + " --dry-run");
  ASSERT_NE(plan.standard_output.find("rows at a time each, in two sweeps"), std::string::npos)
      << plan.standard_output << plan.standard_error;
  for (int kill = 0; kill < 5; ++kill) {
    ASSERT_EQ(run_app(arguments, {.fault = kill_at(20 + kill)}).exit_code, killed);
    expect_unfinished();
  }
  const AppResult result = run_app(arguments, {.ranks = 2});
  ASSERT_EQ(result.exit_code, 0) << result.standard_error;
  EXPECT_NE(result.standard_error.find(part_ + ": resumed, "), std::string::npos);
  EXPECT_EQ(result.standard_error.find("resumed, 0 of"), std::string::npos)
      << result.standard_error;
  expect_whole();
}

class AppStops : public AppInterrupted, public testing::WithParamInterface<int> {
 protected:
  /// Eight for each of three ranks, of which a pipeline that has buffers of a device, too, may have
  /// six in hand.
  void SetUp() override { write(small_images(24)); }
};

TEST_P(AppStops, AndGoesOnWithAnyRanks) {
  const std::string signal = std::to_string(GetParam());
  const std::string name = app::signal_name(GetParam());
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 3}}) {
    SCOPED_TRACE(to_string(launch));
    fs::remove(output_);
    AppLaunch disturbed = launch;
    // When the first rank writes its first piece; on one of several ranks alone.
    disturbed.fault =
        "signal-" + signal + (launch.ranks > 0 ? ":1:output.h5.part:1" : ":11:output.h5.part");
    const AppResult result = run("", disturbed);
    EXPECT_EQ(result.exit_code, 4);
    EXPECT_EQ(result.standard_output, "");
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_TRUE(begins_with(result.messages().front(),
                            "fusedconv_app: interrupted by " + name +
                                ": # of 24 images are complete; run again with --resume to go on"))
        << result.messages().front();
    expect_unfinished();

    const AppResult resumed = run("--resume", {.ranks = 2});
    EXPECT_EQ(resumed.exit_code, 0);
    ASSERT_EQ(resumed.messages().size(), 1) << resumed.standard_error;
    EXPECT_TRUE(begins_with(resumed.messages().front(),
                            "fusedconv_app: " + part_ + ": resumed, # of 24 images were complete"))
        << resumed.messages().front();
    expect_whole();
  }
}

INSTANTIATE_TEST_SUITE_P(, AppStops, testing::Values(SIGTERM, SIGINT, SIGUSR1),
                         [](const testing::TestParamInfo<int>& info) {
                           return app::signal_name(info.param);
                         });

TEST_F(AppResumes, NothingByBeginning) {
  const AppResult result = run("--resume", {.ranks = 2});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.standard_error,
            "fusedconv_app: " + output_ + ": nothing to resume, computed from the beginning\n");
  expect_whole();
  fs::remove(output_);
  EXPECT_EQ(run("--resume --quiet").standard_error, "");
}

TEST_F(AppResumes, NothingWhereTheOutputIsWhole) {
  ASSERT_EQ(run("--quiet").exit_code, 0);
  std::ofstream(record_) << "what a run that was killed while it cleared up has left";
  const fs::file_time_type time = fs::last_write_time(output_);
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 2}}) {
    const AppResult result = run("--resume", launch);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.standard_error,
              "fusedconv_app: " + output_ + ": whole already, nothing to resume\n");
  }
  EXPECT_EQ(fs::last_write_time(output_), time);
  expect_whole();
  // It is another output that is asked for now.
  EXPECT_EQ(run("--resume --output-type float16").exit_code, 0);
  EXPECT_NE(fs::last_write_time(output_), time);
}

TEST_F(AppResumes, WhateverTheEndOfTheRecord) {
  interrupt();
  const std::string record = bytes_of(record_);
  const std::string part = bytes_of(part_);
  for (const std::string& torn :
       {record.substr(0, record.size() - 7), record + "torn", record + std::string(40, '\xff')}) {
    std::ofstream(record_, std::ios::binary | std::ios::trunc) << torn;
    std::ofstream(part_, std::ios::binary | std::ios::trunc) << part;
    const AppResult result = run("--resume");
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    expect_whole();
  }
}

TEST_F(AppResumes, AndComparesWhatWasCompleteBefore) {
  const std::string reference = directory_.file("reference.h5");
  ASSERT_EQ(run_app(input_ + " --quiet -o " + reference).exit_code, 0);
  interrupt();
  ASSERT_EQ(run("--resume --quiet --tolerance 0 --verify " + reference).exit_code, 0);
  std::vector<float> spoilt = expected_;
  spoilt.front() += 1;
  replace_dataset(reference, "output", {{12, 8, 17, 15}}, spoilt);
  fs::remove(output_);
  interrupt();
  EXPECT_EQ(run("--resume --quiet --verify " + reference, {.ranks = 2}).exit_code, 3);
  EXPECT_EQ(run("--resume --quiet --verify " + reference).exit_code, 3);
}

/// Puts another attribute in the place of one of the dataset `output`.
/// \param extents none for a scalar
void replace_output_attribute(const std::string& path, const char* name, hid_t type,
                              const Extents& extents) {
  change_file(path, [&](hid_t file) {
    const hid_t dataset = require(H5Dopen2(file, "output", H5P_DEFAULT));
    require(H5Adelete(dataset, name));
    const hid_t space = require(extents.empty() ? H5Screate(H5S_SCALAR)
                                                : H5Screate_simple(static_cast<int>(extents.size()),
                                                                   extents.data(), nullptr));
    require(H5Aclose(require(H5Acreate2(dataset, name, type, space, H5P_DEFAULT, H5P_DEFAULT))));
    require(H5Sclose(space));
    require(H5Dclose(dataset));
  });
}

TEST_F(AppResumes, WhateverTheAttributesOfTheUnfinishedOutput) {
  interrupt();
  const hid_t text = require(H5Tcopy(H5T_C_S1));
  require(H5Tset_size(text, H5T_VARIABLE));
  replace_output_attribute(part_, "complete", H5T_STD_I64LE, {1000});
  replace_output_attribute(part_, "ranks", H5T_IEEE_F64LE, {});
  replace_output_attribute(part_, "device", text, {});
  replace_output_attribute(part_, "version", H5T_C_S1, {50, 20});
  replace_output_attribute(part_, "fingerprint", H5T_STD_REF_OBJ, {});
  require(H5Tclose(text));
  const AppResult result = run("--resume --quiet");
  EXPECT_EQ(result.exit_code, 0) << result.standard_error;
  expect_whole();
  EXPECT_EQ(read_integer_attribute(output_, "ranks"), 1);
  EXPECT_NE(read_string_attribute(output_, "device"), "");
}

TEST_F(AppResumes, ByComputingWhatOnlySeemsToBeWhole) {
  for (const Extents& extents : {Extents{1000}, Extents{}}) {
    for (const char* const name : {"complete", "fingerprint"}) {
      ASSERT_EQ(run("--quiet").exit_code, 0);
      // Of one value it is another type.
      replace_output_attribute(output_, name, extents.empty() ? H5T_IEEE_F32LE : H5T_STD_I64LE,
                               extents);
      const AppResult result = run("--resume --quiet");
      EXPECT_EQ(result.exit_code, 0) << result.standard_error;
      expect_whole();
      fs::remove(output_);
    }
  }
}

/// What is unlike an interrupted run, and how that is told.
struct Unlike {
  const char* name;
  std::function<void(const AppInterrupted&, const std::string& input, const std::string& part)>
      change;
  std::string arguments;
  std::string sentence;  ///< '#' stands for a number, as in begins_with()
  bool on_two_ranks = false;
};

void PrintTo(const Unlike& unlike, std::ostream* out) { *out << unlike.name; }

class AppRefusesToResume : public AppInterrupted, public testing::WithParamInterface<Unlike> {};

TEST_P(AppRefusesToResume, InOneSentence) {
  const Unlike& unlike = GetParam();
  interrupt();
  if (unlike.change) unlike.change(*this, input_, part_);
  const std::string part = bytes_of(part_);
  const std::string record = bytes_of(record_);
  std::vector<AppLaunch> launches{{}};
  if (unlike.on_two_ranks) launches.push_back({.ranks = 2});
  for (const AppLaunch& launch : launches) {
    SCOPED_TRACE(to_string(launch));
    const AppResult result = run(unlike.arguments, launch);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.standard_output, "");
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_TRUE(
        begins_with(result.messages().front(), "fusedconv_app: " + part_ + ": " + unlike.sentence))
        << result.messages().front();
    expect_unfinished();
    EXPECT_EQ(bytes_of(part_), part);
    EXPECT_EQ(bytes_of(record_), record);
  }
}

std::vector<Unlike> unlike_runs() {
  const auto touch = [](const AppInterrupted&, const std::string& input, const std::string&) {
    fs::last_write_time(input, fs::last_write_time(input) + std::chrono::seconds(1));
  };
  // The input is what it was, to its times.
  const auto keeping_time = [](const std::function<void(const std::string&)>& change) {
    return [=](const AppInterrupted&, const std::string& input, const std::string&) {
      const fs::file_time_type time = fs::last_write_time(input);
      change(input);
      fs::last_write_time(input, time);
    };
  };
  const auto spoil = [](const std::string& suffix, const std::string& text) {
    return [=](const AppInterrupted&, const std::string&, const std::string& part) {
      std::ofstream(part + suffix, std::ios::trunc) << text;
    };
  };
  std::vector<Unlike> runs{
      {"without_being_asked", nullptr, "",
       "file to write: expected --resume to go on with it, or that it is removed to begin anew, "
       "found what an earlier run has completed: # of 12 images complete",
       true},
      {"without_being_asked_with_other_options", nullptr, "--output-type float16",
       "file to write: expected --resume to go on with it, or that it is removed to begin anew, "
       "found what an earlier run has completed of another input or with other options"},
      {"input_touched", touch, "--resume",
       "made with another input: expected # bytes modified at #-#-#T#:#:#.#Z, found # bytes "
       "modified at #-#-#T#:#:#.#Z",
       true},
      {"other_parameters", keeping_time([](const std::string& input) {
         change_file(input, [](hid_t file) {
           const hid_t bias = require(H5Dopen2(file, "conv.bias", H5P_DEFAULT));
           const std::vector<float> values(8, 0.5F);
           require(H5Dwrite(bias, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
           require(H5Dclose(bias));
         });
       }),
       "--resume", "made with another hash of parameters: expected "},
      {"other_eps", keeping_time([](const std::string& input) {
         change_file(input, [](hid_t file) {
           const hid_t eps = require(H5Aopen(file, "group_norm.eps", H5P_DEFAULT));
           const double value = 0.5;
           require(H5Awrite(eps, H5T_NATIVE_DOUBLE, &value));
           require(H5Aclose(eps));
         });
       }),
       "--resume", "made with another shape: expected "},
      {"other_activation", nullptr, "--resume --activation relu",
       "made with another shape: expected "},
      {"other_precision", nullptr, "--resume --precision tf32",
       "made with another precision: expected tf32, found fp32"},
      {"other_output_type", nullptr, "--resume --output-type bfloat16",
       "made with another output type: expected bfloat16, found float32"},
      {"no_record_of_ours", spoil(".record", "something else\n"), "--resume",
       "record: expected a record of what is complete, found "},
      {"empty_record", spoil(".record", ""), "--resume",
       "record: expected a record of what is complete, found "},
      {"no_output_of_ours", spoil("", "something else"), "--resume",
       "file: expected an HDF5 file, found a file without HDF5's signature"},
      {"other_dataset",
       [](const AppInterrupted&, const std::string&, const std::string& part) {
         replace_dataset(part, "output", {{12, 8, 17, 14}}, std::vector<float>(12 * 8 * 17 * 14));
       },
       "--resume", "output: expected extents (12, 8, 17, 15), found extents (12, 8, 17, 14)"},
      {"data_in_another_file",
       [](const AppInterrupted&, const std::string&, const std::string& part) {
         const std::string other = part + ".other";
         fs::copy_file(part, other);
         change_file(part, [&](hid_t file) {
           require(H5Ldelete(file, "output", H5P_DEFAULT));
           require(H5Lcreate_external(other.c_str(), "output", file, "output", H5P_DEFAULT,
                                      H5P_DEFAULT));
         });
       },
       "--resume --allow other-files", "output: expected a dataset, found a link"},
      {"data_in_chunks",
       [](const AppInterrupted&, const std::string&, const std::string& part) {
         replace_dataset(part, "output", {{12, 8, 17, 15}, H5T_IEEE_F32LE, {1, 8, 17, 15}},
                         std::vector<float>(12 * 8 * 17 * 15));
       },
       "--resume", "output: expected contiguous data in this file, found data of another layout"},
      {"other_place_of_the_data",
       [](const AppInterrupted&, const std::string&, const std::string& part) {
         change_file(part, [](hid_t file) { require(H5Ldelete(file, "output", H5P_DEFAULT)); });
         replace_dataset(part, "other", {{100}}, std::vector<float>(100));
         replace_dataset(part, "output", {{12, 8, 17, 15}}, std::vector<float>(12 * 8 * 17 * 15));
       },
       "--resume", "output: expected data from byte # on, as its record says, found data from"}};
  const std::string first = app::backend_names().front();
  const std::string last = app::backend_names().back();
  if (first != last) {
    runs.push_back({"other_backend", nullptr, "--resume --backend " + last,
                    "made with another backend: expected " + last + ", found " + first});
  }
  return runs;
}

INSTANTIATE_TEST_SUITE_P(, AppRefusesToResume, testing::ValuesIn(unlike_runs()),
                         [](const testing::TestParamInfo<Unlike>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace fusedconv::test
