// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app_files.hpp"
#include "app_program.hpp"
#include "hdf5/checked_open.hpp"
#include "input_files.hpp"
#include "same_bits.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

Problem images(std::int64_t count, std::int64_t height, unsigned seed) {
  Shape shape;
  shape.batch = count;
  shape.in_channels = 2;
  shape.height = height;
  shape.width = 9;
  shape.out_channels = 4;
  shape.kernel_size = {3, 3};
  shape.num_groups = 2;
  return random_problem(shape, seed);
}

/// Files a.h5, b.h5, ... in a directory of their own, and what single runs make of them.
class ManyFiles : public testing::Test {
 protected:
  ManyFiles() {
    for (const std::string& directory : {runs_, single_, out_}) fs::create_directory(directory);
  }

  void write(const std::vector<std::pair<std::int64_t, std::int64_t>>& counts_and_heights,
             bool same_layer) {
    char name = 'a';
    for (const auto& [count, height] : counts_and_heights) {
      Problem problem = images(count, height, static_cast<unsigned>(name));
      const Problem first = images(1, 8, 1);
      if (same_layer) {
        problem.conv_weight = first.conv_weight;
        problem.conv_bias = first.conv_bias;
        problem.bias = first.bias;
        problem.scale = first.scale;
        problem.group_norm_weight = first.group_norm_weight;
        problem.group_norm_bias = first.group_norm_bias;
      }
      names_.push_back(std::string(1, name++));
      write_input(input(names_.back()), problem);
      ASSERT_EQ(run_app(input(names_.back()) + " --quiet -o " + single_ + "/" + names_.back() +
                        "_output.h5")
                    .exit_code,
                0);
    }
  }

  std::string input(const std::string& name) const { return runs_ + "/" + name + ".h5"; }
  std::string output(const std::string& name) const { return out_ + "/" + name + "_output.h5"; }

  AppResult run(const std::string& arguments, const AppLaunch& launch = {}) const {
    return run_app("'" + runs_ + "/*.h5' --output-dir " + out_ + " " + arguments, launch);
  }

  void expect_all_as_alone() const {
    std::size_t entries = 0;
    for (const auto& entry : fs::directory_iterator(out_)) {
      static_cast<void>(entry);
      ++entries;
    }
    EXPECT_EQ(entries, names_.size());
    for (const std::string& name : names_) {
      SCOPED_TRACE(name);
      ASSERT_TRUE(fs::exists(output(name)));
      EXPECT_EQ(read_integer_attribute(output(name), "complete"), 1);
      EXPECT_EQ(read_string_attribute(output(name), "input_file"), input(name));
      EXPECT_TRUE(same_bits(read_floats(output(name), "output"),
                            read_floats(single_ + "/" + name + "_output.h5", "output")));
    }
  }

  void clear() const {
    fs::remove_all(out_);
    fs::create_directory(out_);
  }

  TemporaryDirectory directory_;
  std::string runs_ = directory_.file("runs");
  std::string single_ = directory_.file("single");
  std::string out_ = directory_.file("out");
  std::vector<std::string> names_;
};

TEST_F(ManyFiles, AreSharedAmongAnyRanks) {
  write({{1, 8}, {5, 8}, {2, 8}, {1, 8}}, true);
  for (const int ranks : {0, 2, 5}) {
    for (const std::string chunk : {"", " --chunk 1"}) {
      SCOPED_TRACE(to_string(AppLaunch{.ranks = ranks}) + chunk);
      clear();
      const AppResult result =
          run("--quiet --tolerance 0 --verify " + single_ + chunk, {.ranks = ranks});
      EXPECT_EQ(result.exit_code, 0) << result.standard_error;
      expect_all_as_alone();
    }
  }
}

TEST_F(ManyFiles, MayHaveLayersOfTheirOwn) {
  write({{2, 8}, {3, 8}, {1, 12}, {2, 12}}, false);
  for (const int ranks : {0, 3}) {
    clear();
    const AppResult result = run("--quiet", {.ranks = ranks});
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    expect_all_as_alone();
  }
}

TEST_F(ManyFiles, AreGoneOnWithWhereTheyWereLeft) {
  write({{3, 8}, {4, 8}, {3, 8}, {4, 8}}, true);
  for (const std::string fault : {"kill:3:b_output.h5.part", "kill:12:c_output.h5.part",
                                  "kill:1:d_output.h5.part", "signal-15:12:b_output.h5.part"}) {
    SCOPED_TRACE(fault);
    clear();
    EXPECT_NE(run("--quiet --chunk 1", {.fault = fault}).exit_code, 0);
    // The first one was whole by then, but where a pipeline reads ahead.
    const bool was_whole = fs::exists(output("a"));
    const fs::file_time_type time =
        was_whole ? fs::last_write_time(output("a")) : fs::file_time_type{};
    const AppResult result = run("--resume --tolerance 0 --verify " + single_, {.ranks = 3});
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    EXPECT_NE(result.standard_error.find("resumed: of 4 outputs "), std::string::npos)
        << result.standard_error;
    EXPECT_TRUE(!was_whole || fs::last_write_time(output("a")) == time);
    expect_all_as_alone();
  }
}

TEST_F(ManyFiles, TakeParametersOfOneFile) {
  write({{2, 8}, {2, 8}}, true);
  const std::string parameters = directory_.file("parameters.h5");
  fs::copy_file(input("a"), parameters);
  for (const std::string& name : names_) {
    remove_object(input(name), "conv.weight");
    remove_attribute(input(name), "group_norm.num_groups");
  }
  ASSERT_EQ(run("--quiet --parameters " + parameters, {.ranks = 3}).exit_code, 0);
  expect_all_as_alone();
}

TEST_F(ManyFiles, AreReportedInAList) {
  write({{2, 8}, {3, 8}, {1, 12}}, true);
  const std::string path = directory_.file("report.json");
  ASSERT_EQ(run("--quiet --verify " + single_ + " --report " + path, {.ranks = 2}).exit_code, 0);
  std::ifstream file(path);
  const nlohmann::json report = nlohmann::json::parse(file);
  ASSERT_EQ(report["jobs"].size(), 2);
  const nlohmann::json& files = report["jobs"][0]["files"];
  ASSERT_EQ(files.size(), 2);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(files[i]["input"], input(names_[i]));
    EXPECT_EQ(files[i]["output"], output(names_[i]));
    EXPECT_EQ(files[i]["images"], i + 2);
    EXPECT_EQ(files[i]["verification"]["passed"], true);
  }
  EXPECT_EQ(report["jobs"][0]["shape"]["batch"], 5);
  EXPECT_EQ(report["jobs"][1]["input"], input("c"));
}

TEST_F(ManyFiles, AreAllCheckedBeforeAnythingIsComputed) {
  write({{2, 8}, {2, 8}, {2, 8}}, true);
  remove_object(input("c"), "input");
  const AppResult result = run("", {.ranks = 2});
  EXPECT_EQ(result.exit_code, 2);
  ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
  EXPECT_EQ(result.messages().front(),
            "fusedconv_app: " + input("c") + ": input: expected a dataset, found none");
  EXPECT_TRUE(fs::is_empty(out_));
}

TEST_F(ManyFiles, AreRefusedWhereTheyCannotBeToldApart) {
  write({{2, 8}, {2, 8}}, true);
  const std::string other = directory_.file("a.h5");
  fs::copy_file(input("a"), other);
  const std::vector<std::pair<std::string, std::string>> bad{
      {"'" + runs_ + "/*.h5' " + other + " --output-dir " + out_,
       other + ": input: expected a name that no other input has, found the name of " + input("a") +
           ", whose output would be " + output("a")},
      {input("a") + " " + input("b"),
       input("b") +
           ": input: expected --output-dir with several inputs, found 2 inputs without it"},
      {"'" + runs_ + "/*.hdf' --output-dir " + out_,
       runs_ + "/*.hdf: input: expected a file that matches, found none"},
      {"'" + runs_ + "/*.h5' --output-dir " + out_ + " --verify " + other,
       other + ": reference: expected a directory where there are several inputs, found no "
               "directory"},
      {"'" + runs_ + "/*.h5' --output-dir " + directory_.file("none"),
       directory_.file("none") + "/a_output.h5: file to write: expected an existing directory"}};
  for (const auto& [arguments, sentence] : bad) {
    const AppResult result = run_app(arguments);
    EXPECT_EQ(result.exit_code, 2);
    ASSERT_EQ(result.messages().size(), 1) << result.standard_error;
    EXPECT_TRUE(result.messages().front().starts_with("fusedconv_app: " + sentence))
        << result.messages().front();
  }
}

/// Two files are open at a time, however many there are. The limit leaves room for what a GPU's
/// driver opens.
TEST_F(ManyFiles, NeedFewDescriptors) {
  for (int file = 0; file < 150; ++file) {
    const std::string name = std::to_string(100 + file);
    names_.push_back(name);
    write_input(input(name), images(1, 5, 1));
  }
  const AppResult result =
      run_app("'" + runs_ + "/*.h5' --quiet --output-dir " + out_, {.before = "ulimit -n 128 &&"});
  EXPECT_EQ(result.exit_code, 0) << result.standard_error;
  EXPECT_EQ(std::distance(fs::directory_iterator(out_), {}), 150);
}

TEST(InputFiles, AreExpandedInOrderAndOnce) {
  const TemporaryDirectory directory;
  for (const char* name : {"b.h5", "a.h5", "c.hdf", "[d].h5"}) std::ofstream(directory.file(name));
  const auto path = [&](const std::string& name) { return directory.file(name); };
  EXPECT_EQ(app::expand_inputs({path("b.h5"), path("*.h5"), path("./a.h5"), path("c.hdf")}),
            (std::vector<std::string>{path("b.h5"), path("[d].h5"), path("a.h5"), path("c.hdf")}));
  EXPECT_EQ(app::expand_inputs({path("[d].h5")}), (std::vector<std::string>{path("[d].h5")}));
  EXPECT_EQ(app::expand_inputs({path("none.h5")}), (std::vector<std::string>{path("none.h5")}));
  EXPECT_THROW(app::expand_inputs({path("*.txt")}), app::hdf5::InvalidFile);
}

TEST(InputFiles, NameTheirOutputs) {
  EXPECT_EQ(app::default_output("x.h5"), "x_output.h5");
  EXPECT_EQ(app::default_output("/a/b.c/x.h5"), "/a/b.c/x_output.h5");
  EXPECT_EQ(app::default_output("x.hdf5"), "x.hdf5_output.h5");
  EXPECT_EQ(app::outputs_in("out", {"a/x.h5", "y.h5"}),
            (std::vector<std::string>{"out/x_output.h5", "out/y_output.h5"}));
  EXPECT_THROW(app::outputs_in("out", {"a/x.h5", "x.h5"}), app::hdf5::InvalidFile);
}

}  // namespace
}  // namespace fusedconv::test
