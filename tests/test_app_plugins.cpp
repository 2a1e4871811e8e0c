// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <hdf5.h>

#include <filesystem>
#include <string>
#include <vector>

#include "app_files.hpp"
#include "app_program.hpp"
#include "same_bits.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

constexpr H5Z_filter_t zstd = 32015;

std::size_t pass(unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) {
  return bytes;
}

/// Inputs that demand the filter of filter_plugin.cpp, and whether it was loaded.
class AppPlugins : public testing::Test {
 protected:
  void SetUp() override {
    write_input(input_, small_problem());
    ASSERT_EQ(run_app(input_ + " --quiet -o " + output_).exit_code, 0);
    expected_ = read_floats(output_, "output");
    fs::remove(output_);
  }

  /// Puts the dataset in chunks that have gone through the filter.
  void filter(const std::string& path, const std::string& name, const Extents& extents) const {
    const std::vector<float> values = read_floats(path, name);
    const H5Z_class2_t filter_class{H5Z_CLASS_T_VERS, zstd, 1, 1, "zstd", nullptr, nullptr, pass};
    require(H5Zregister(&filter_class));
    remove_object(path, name);
    change_file(path, [&](hid_t file) {
      const hid_t space =
          require(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr));
      const hid_t creation = require(H5Pcreate(H5P_DATASET_CREATE));
      require(H5Pset_chunk(creation, static_cast<int>(extents.size()), extents.data()));
      require(H5Pset_filter(creation, zstd, H5Z_FLAG_MANDATORY, 0, nullptr));
      const hid_t dataset = require(H5Dcreate2(file, name.c_str(), H5T_IEEE_F32LE, space,
                                               H5P_DEFAULT, creation, H5P_DEFAULT));
      require(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
      require(H5Dclose(dataset));
      require(H5Pclose(creation));
      require(H5Sclose(space));
    });
    require(H5Zunregister(zstd));
  }

  AppResult run(const std::string& arguments, int ranks = 0,
                const std::string& plugins = FUSEDCONV_TEST_PLUGINS) const {
    fs::remove(loaded_);
    return run_app(input_ + " --quiet -o " + output_ + " " + arguments,
                   {.ranks = ranks,
                    .before = "export HDF5_PLUGIN_PATH=" + plugins +
                              " FUSEDCONV_TEST_PLUGIN_LOADED=" + loaded_ + " && "});
  }

  bool was_loaded() const { return fs::exists(loaded_); }

  void expect_whole() const {
    H5Z_class2_t filter_class{H5Z_CLASS_T_VERS, zstd, 1, 1, "zstd", nullptr, nullptr, pass};
    require(H5Zregister(&filter_class));
    EXPECT_TRUE(same_bits(read_floats(output_, "output"), expected_));
    require(H5Zunregister(zstd));
  }

  TemporaryDirectory directory_;
  std::string input_ = directory_.file("input.h5");
  std::string output_ = directory_.file("output.h5");
  std::string loaded_ = directory_.file("loaded");
  std::vector<float> expected_;
};

TEST_F(AppPlugins, AreNotLoadedUnlessAllowed) {
  filter(input_, "input", {3, 4, 6, 5});
  for (const int ranks : {0, 2}) {
    const AppResult result = run("", ranks);
    EXPECT_EQ(result.exit_code, 2);
    ASSERT_EQ(result.messages().size(), 1U) << result.standard_error;
    EXPECT_EQ(result.messages().front(),
              "fusedconv_app: " + input_ +
                  ": input: expected filters that HDF5 has of its own, or --allow filter-plugins, "
                  "found filter 32015");
    EXPECT_FALSE(was_loaded());
    EXPECT_FALSE(fs::exists(output_));
  }
}

TEST_F(AppPlugins, AreLoadedWhereAllowed) {
  filter(input_, "input", {3, 4, 6, 5});
  for (const int ranks : {0, 2}) {
    const AppResult result = run("--allow filter-plugins", ranks);
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    EXPECT_TRUE(was_loaded());
    expect_whole();
  }
}

TEST_F(AppPlugins, AreNotLoadedForParametersNorReferences) {
  const std::string other = directory_.file("other.h5");
  fs::copy_file(input_, other);
  filter(other, "conv.weight", {8, 4, 3, 3});
  replace_dataset(other, "output", {{3, 8, 4, 3}}, std::vector<float>(288));
  filter(other, "output", {3, 8, 4, 3});
  for (const std::string option : {"--parameters ", "--verify "}) {
    const AppResult result = run(option + other);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_NE(result.standard_error.find("or --allow filter-plugins, found filter 32015"),
              std::string::npos)
        << result.standard_error;
    EXPECT_FALSE(was_loaded());
  }
}

TEST_F(AppPlugins, AreToldWhereThereAreNone) {
  filter(input_, "input", {3, 4, 6, 5});
  const AppResult result = run("--allow filter-plugins", 0, directory_.path());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.standard_error.find("input: expected filters that HDF5 has or finds as plugins "
                                       "(HDF5_PLUGIN_PATH), found filter 32015\n"),
            std::string::npos)
      << result.standard_error;
}

TEST_F(AppPlugins, AreLoadedToCompressWhereAskedFor) {
  for (const int ranks : {0, 2}) {
    const AppResult result = run("--compress zstd 3", ranks);
    EXPECT_EQ(result.exit_code, 0) << result.standard_error;
    EXPECT_TRUE(was_loaded());
    expect_whole();
  }
}

}  // namespace
}  // namespace fusedconv::test
