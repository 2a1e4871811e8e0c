// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "app_interruption.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

/// Every failure ends all ranks: run_app() kills what takes longer than its limit, and then no exit
/// code is 1.
class AppFails : public AppInterrupted {
 protected:
  void expect_resumable_failure(const AppLaunch& launch, const std::string& sentence,
                                const std::string& arguments = "") {
    SCOPED_TRACE(to_string(launch) + ", " + launch.fault);
    fs::remove(output_);
    const AppResult result = run("--quiet " + arguments, launch);
    EXPECT_EQ(result.exit_code, 1);
    ASSERT_GE(result.messages().size(), 1) << result.standard_error;
    const std::string message = result.messages().front();
    EXPECT_NE(message.find(sentence), std::string::npos) << message;
    EXPECT_TRUE(message.ends_with("; run again with --resume to go on")) << message;
    expect_unfinished();
    EXPECT_EQ(run("--quiet --resume", {.ranks = 2}).exit_code, 0);
    expect_whole();
  }
};

TEST_F(AppFails, ResumablyWhereTheDiskIsFull) {
  const std::string sentence = part_ + ": output: could not write: ";
  // After the first piece's entry, and on one of several ranks before its first piece.
  expect_resumable_failure({.fault = "full:14:output.h5.part"}, sentence);
  expect_resumable_failure({.ranks = 3, .fault = "full:4:output.h5.part:1"}, sentence);
}

TEST_F(AppFails, ResumablyWhereTheDiskCannotFlush) {
  expect_resumable_failure({.fault = "full:15:output.h5.part"},
                           part_ + ": could not flush to disk: No space left on device");
}

TEST_F(AppFails, ResumablyWhereTheInputCannotBeRead) {
  // The last read is that of the last image, when others are complete.
  int works = 1000;
  int fails = 0;
  while (works - fails > 1) {
    const int call = (works + fails) / 2;
    const std::string fault = "fail:" + std::to_string(call) + ":input.h5";
    (run("--quiet --resume", {.fault = fault}).exit_code == 0 ? works : fails) = call;
    for (const std::string& name : {output_, part_, record_}) fs::remove(name);
  }
  expect_resumable_failure({.fault = "fail:" + std::to_string(fails) + ":input.h5"},
                           input_ + ": input: could not read: ");
}

TEST_F(AppFails, ToGoOnWithAnInputThatShrankWhileItWasRead) {
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 3}}) {
    SCOPED_TRACE(to_string(launch));
    const std::string shrinking = directory_.file("shrinking.h5");
    fs::copy_file(input_, shrinking, fs::copy_options::overwrite_existing);
    AppLaunch disturbed = launch;
    // Reads of what the file says of itself come before, on rank 0; the others read later ones.
    disturbed.fault = launch.ranks > 0 ? "shrink:8:shrinking.h5:2" : "shrink:36:shrinking.h5";
    const AppResult result = run_app(shrinking + " --quiet --chunk 1 -o " + output_, disturbed);
    EXPECT_EQ(result.exit_code, 1) << result.standard_error;
    ASSERT_GE(result.messages().size(), 1) << result.standard_error;
    EXPECT_NE(result.messages().front().find(
                  shrinking + ": expected a file that stays as it is while it is read, "),
              std::string::npos)
        << result.messages().front();
    EXPECT_FALSE(fs::exists(output_));
    for (const std::string& name : {part_, record_}) fs::remove(name);
  }
}

TEST_F(AppFails, WithoutATraceWhereNothingCanBeWritten) {
  // Read-only also for a superuser.
  const AppResult result = run_app(input_ + " --quiet -o /proc/output.h5", {.ranks = 2});
  EXPECT_EQ(result.exit_code, 1);
  ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
  EXPECT_TRUE(result.messages().front().starts_with(
      "fusedconv_app: rank 0: /proc/output.h5.part: could not create: "))
      << result.messages().front();
  // The disk is full before there is anything to go on with.
  for (const int call : {1, 4, 8}) {
    const AppResult full =
        run("--quiet", {.fault = "full:" + std::to_string(call) + ":output.h5.part"});
    EXPECT_EQ(full.exit_code, 1);
    EXPECT_EQ(full.messages().size(), 1) << full.standard_error;
    EXPECT_FALSE(fs::exists(output_));
    EXPECT_FALSE(fs::exists(part_)) << call;
    EXPECT_FALSE(fs::exists(record_)) << call;
  }
}

TEST_F(AppFails, WithTheFormerReportWhereThereIsNoRoomForAnother) {
  const std::string report = directory_.file("report.json");
  const AppLaunch full{.fault = "full:1:report.json"};
  for (const bool former : {false, true}) {
    if (former) std::ofstream(report) << "former";
    const AppResult result = run("--quiet --report " + report, full);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.standard_error, "fusedconv_app: " + report + ": could not write the report\n");
    expect_whole();
    EXPECT_EQ(fs::exists(report), former);
    EXPECT_FALSE(fs::exists(report + ".part"));
  }
  std::string content;
  std::ifstream(report) >> content;
  EXPECT_EQ(content, "former");
}

TEST_F(AppFails, OnAllRanksWhereOneDies) {
  // When it writes its second piece.
  const AppResult result = run("--quiet", {.ranks = 3, .fault = "kill:4:output.h5.part:1"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(result.exit_code, 4);
  EXPECT_LT(result.exit_code, 124 + 14) << "it was not ended by the launcher";
  expect_unfinished();
  EXPECT_EQ(run("--quiet --resume").exit_code, 0);
  expect_whole();
}

}  // namespace
}  // namespace fusedconv::test
