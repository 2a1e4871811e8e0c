// SPDX-License-Identifier: Apache-2.0
//
// Lets a fault happen at each call of a kind that a small run makes. Where there are many calls it
// is at some, evenly spaced: a few, or as many as FUSEDCONV_TEST_FAULTS says.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "app_files.hpp"
#include "app_program.hpp"
#include "run_program.hpp"
#include "same_bits.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

/// Runs that differ in the call at which a fault happens.
struct Sweep {
  std::string fault;               ///< as faults/fault.hpp has it
  std::string path = {};           ///< of the files whose calls are meant
  std::set<int> exit_codes = {1};  ///< of a run that fails
  int most = 1000;                 ///< calls that are tried
  double from = 0;                 ///< before this part of all calls none is
  int ranks = 0;                   ///< the fault is on the last one
  std::string arguments = "--chunk 1";
  bool others_speak = false;  ///< a library says on standard error why it gives up
};

struct Outcome {
  bool happened = false;
  bool failed = false;  ///< and not: gone on with in spite of the fault
  std::string problem;  ///< what ought not to be
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class AppWithFaults : public testing::Test {
 protected:
  /// Each of four images is a piece.
  void SetUp() override { write_input(input_, tiny_images(4, 4)); }

  void run(const Sweep& sweep) {
    const std::string undisturbed = directory_.file("undisturbed.h5");
    ASSERT_EQ(run_app(input_ + " --quiet " + sweep.arguments + " -o " + undisturbed).exit_code, 0);
    expected_ = read_floats(undisturbed, "output");
    const long calls = count(sweep);
    ASSERT_GT(calls, 0);
    const std::vector<long> chosen = some_of(calls, sweep);
    std::vector<Outcome> outcomes(chosen.size());
    std::atomic<std::size_t> next = 0;
    std::vector<std::thread> workers;
    for (unsigned worker = 0; worker < std::max(2U, std::thread::hardware_concurrency());
         ++worker) {
      workers.emplace_back([&] {
        for (std::size_t i = next++; i < chosen.size(); i = next++) {
          outcomes[i] = try_fault(sweep, chosen[i]);
        }
      });
    }
    for (std::thread& worker : workers) worker.join();

    std::int64_t happened = 0;
    std::int64_t failed = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      happened += outcomes[i].happened ? 1 : 0;
      failed += outcomes[i].failed ? 1 : 0;
      EXPECT_EQ(outcomes[i].problem, "") << sweep.fault << " at call " << chosen[i] << " of "
                                         << calls << ", " << to_string(AppLaunch{sweep.ranks});
    }
    std::cout << sweep.fault << ", " << to_string(AppLaunch{sweep.ranks}) << ": " << happened
              << " faults in " << calls << " calls, " << failed << " runs failed\n";
    // Threads do not share their work alike in every run, which may make a call or two.
    EXPECT_GE(happened, static_cast<std::int64_t>(chosen.size() * 9 / 10));
    // A fault that no run notices is none.
    EXPECT_GT(failed, 0);
  }

 private:
  static std::vector<long> some_of(long calls, const Sweep& sweep) {
    const char* const wanted = std::getenv("FUSEDCONV_TEST_FAULTS");
    const long before = std::lround(static_cast<double>(calls) * sweep.from);
    const long after = calls - before;
    const long count =
        std::min(after, wanted == nullptr ? sweep.most : std::strtol(wanted, nullptr, 10));
    std::vector<long> chosen;
    for (long i = 0; i < count; ++i) chosen.push_back(before + 1 + i * after / count);
    return chosen;
  }

  /// A directory whose name is as long for every call: longer names take more memory.
  std::string directory_of(long call) const {
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), "%08ld", call);
    return directory_.file(number.data());
  }

  AppLaunch launch_of(const Sweep& sweep, long call) const {
    std::string fault = sweep.fault + ":" + std::to_string(call) + ":" + sweep.path;
    if (sweep.ranks > 0) fault.append(":").append(std::to_string(sweep.ranks - 1));
    return {.ranks = sweep.ranks, .fault = fault, .found = directory_of(call) + "/found"};
  }

  std::string arguments_of(const Sweep& sweep, const std::string& output) const {
    return input_ + " --quiet " + sweep.arguments + " -o " + output;
  }

  /// Calls that a run makes to which nothing happens.
  long count(const Sweep& sweep) const {
    const std::string directory = directory_of(0);
    fs::create_directory(directory);
    const AppResult result =
        run_app(arguments_of(sweep, directory + "/output.h5"), launch_of(sweep, 0));
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    const long calls = std::strtol(content(directory + "/found").c_str(), nullptr, 10);
    fs::remove_all(directory);
    return calls;
  }

  Outcome try_fault(const Sweep& sweep, long call) const {
    const std::string directory = directory_of(call);
    const std::string output = directory + "/output.h5";
    fs::create_directory(directory);
    const AppResult result = run_app(arguments_of(sweep, output), launch_of(sweep, call));
    Outcome outcome{content(directory + "/found") == "happened", result.exit_code != 0, {}};
    std::ostringstream problem;
    if (outcome.failed && !outcome.happened) problem << "failed without the fault; ";
    fs::remove(directory + "/found");
    if (outcome.failed) {
      problem << problem_of_failure(sweep, result);
    } else if (!is_whole(output)) {
      problem << "exit code 0 without the output; ";
    }
    if (fs::exists(output) && !is_whole(output)) problem << "something else under its name; ";
    if (!fs::is_empty(directory)) problem << problem_of_resumption(sweep, directory, output);
    if (problem.tellp() > 0) problem << result.standard_error;
    outcome.problem = problem.str();
    fs::remove_all(directory);
    return outcome;
  }

  static std::string problem_of_failure(const Sweep& sweep, const AppResult& result) {
    std::ostringstream problem;
    if (!sweep.exit_codes.contains(result.exit_code)) {
      problem << "exit code " << result.exit_code << "; ";
    }
    // One that is killed says nothing.
    const std::vector<std::string> messages = result.messages();
    const std::size_t expected = sweep.exit_codes.contains(128 + SIGKILL) ? 0 : 1;
    if (messages.size() != expected) problem << messages.size() << " messages; ";
    const bool launcher_speaks = sweep.ranks > 0;
    if (expected == 1 && messages.size() == 1 && !sweep.others_speak && !launcher_speaks &&
        result.standard_error != messages.front() + "\n") {
      problem << "more than one line on standard error; ";
    }
    return problem.str();
  }

  std::string problem_of_resumption(const Sweep& sweep, const std::string& directory,
                                    const std::string& output) const {
    const AppResult resumed = run_app(arguments_of(sweep, output) + " --resume");
    std::ostringstream problem;
    if (resumed.exit_code != 0) {
      problem << "--resume exits with " << resumed.exit_code << ": " << resumed.standard_error;
    } else if (!is_whole(output)) {
      problem << "--resume leaves something else; ";
    }
    for (const fs::directory_entry& left : fs::directory_iterator(directory)) {
      if (left.path() != output) problem << left.path().filename() << " is left; ";
    }
    return problem.str();
  }

  bool is_whole(const std::string& output) const {
    static std::mutex hdf5;
    const std::lock_guard lock(hdf5);
    try {
      return same_bits(read_floats(output, "output"), expected_) &&
             read_integer_attribute(output, "complete") == 1;
    } catch (const std::exception&) {
      return false;
    }
  }

 protected:
  TemporaryDirectory directory_;
  std::string input_ = directory_.file("input.h5");
  std::vector<float> expected_;
};

// Three quarters come before anything is computed, half of them where the command line is parsed.
TEST_F(AppWithFaults, SurvivesAnAllocationThatFails) {
  run({.fault = "allocation", .most = 40});
  run({.fault = "allocation", .most = 60, .from = 0.8});
}

TEST_F(AppWithFaults, SurvivesThatNoMemoryIsLeft) { run({.fault = "allocations", .most = 30}); }

// Where HDF5 does not say why it cannot read the input, that is the input's fault.
TEST_F(AppWithFaults, SurvivesAnHdf5CallThatFails) {
  run({.fault = "hdf5", .exit_codes = {1, 2}, .most = 80});
}

TEST_F(AppWithFaults, SurvivesAnHdf5CallThatFailsWhereItCompresses) {
  run({.fault = "hdf5",
       .exit_codes = {1, 2},
       .most = 20,
       .arguments = "--chunk 1 --compress gzip 1"});
}

TEST_F(AppWithFaults, SurvivesAReadThatFails) {
  run({.fault = "fail-once", .path = "input.h5"});
  run({.fault = "fail-once", .path = "output.h5.part"});
}

TEST_F(AppWithFaults, SurvivesADiskThatCannotBeReadAnyMore) {
  run({.fault = "fail", .path = "input.h5", .most = 10});
}

TEST_F(AppWithFaults, SurvivesAWriteThatFails) {
  run({.fault = "full", .path = "output.h5.part"});
  run({.fault = "full", .path = "output.h5.part", .most = 12, .arguments = "--compress gzip 1"});
}

TEST_F(AppWithFaults, SurvivesADiskThatIsFullAtAnyByte) {
  run({.fault = "full-at-byte", .path = "output.h5.part", .most = 24});
}

TEST_F(AppWithFaults, SurvivesADeviceThatReportsAnError) { run({.fault = "kokkos", .most = 24}); }

TEST_F(AppWithFaults, SurvivesADeviceThatIsLost) {
  run({.fault = "kokkos-aborts", .most = 12, .others_speak = true});
}

TEST_F(AppWithFaults, SurvivesSigkillWhereItReads) {
  run({.fault = "kill-reading", .path = "input.h5", .exit_codes = {128 + SIGKILL}, .most = 10});
}

TEST_F(AppWithFaults, SurvivesSigkillWhereItComputes) {
  run({.fault = "kill-computing", .exit_codes = {128 + SIGKILL}, .most = 10});
}

/// The last rank has the fault, and ends the others by MPI_Abort.
TEST_F(AppWithFaults, SurvivesThemOnOneOfTwoRanks) {
  const std::string images = "--chunk 1";
  run({.fault = "allocation", .most = 5, .ranks = 2, .arguments = images});
  run({.fault = "hdf5", .most = 6, .ranks = 2, .arguments = images});
  run({.fault = "fail", .path = "input.h5", .most = 12, .ranks = 2, .arguments = images});
  run({.fault = "full", .path = "output.h5.part", .most = 2, .ranks = 2, .arguments = images});
  run({.fault = "kokkos", .most = 3, .ranks = 2, .arguments = images});
  run({.fault = "kokkos-aborts", .most = 2, .ranks = 2, .arguments = images, .others_speak = true});
}

/// A call that is not on the list would be spared.
TEST(Faults, CanHappenAtEveryHdf5CallOfTheApplication) {
  const auto names = [](const std::string& which, const std::string& file) {
    const ProgramResult result = run_program("nm -D --" + which + "-only " + file);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    std::set<std::string> found;
    std::istringstream lines(result.output);
    for (std::string word; lines >> word;) {
      if (word.starts_with("H5")) found.insert(word.substr(0, word.find('@')));
    }
    return found;
  };
  std::set<std::string> called = names("undefined", FUSEDCONV_APP);
  ASSERT_TRUE(called.contains("H5Dread"));
  // They cannot fail, or tell of failures; variables have names as well.
  std::erase_if(called, [](const std::string& name) {
    return name == "H5open" || name == "H5check_version" || name == "H5get_libversion" ||
           name == "H5Ewalk2" || name.ends_with("_g");
  });
  const std::set<std::string> listed = names("defined", FUSEDCONV_TEST_FAULTS);
  for (const std::string& name : called) {
    EXPECT_TRUE(listed.contains(name)) << name << " is to be added to tests/faults/hdf5_calls.cpp";
  }
}

}  // namespace
}  // namespace fusedconv::test
