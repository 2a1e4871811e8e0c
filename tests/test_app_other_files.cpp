// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "app_interruption.hpp"
#include "text_pattern.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

/// Moves a dataset to other files in the same directory, which are named after it.
using Move = std::function<void(const std::string& path, const std::string& name)>;

std::string beside(const std::string& path, const std::string& name) {
  return fs::path(path).parent_path() / name;
}

Extents extents_of(const std::string& path, const std::string& name) {
  Extents extents;
  change_file(path, [&](hid_t file) {
    const hid_t dataset = require(H5Dopen2(file, name.c_str(), H5P_DEFAULT));
    const hid_t space = require(H5Dget_space(dataset));
    extents.resize(static_cast<std::size_t>(require(H5Sget_simple_extent_ndims(space))));
    require(H5Sget_simple_extent_dims(space, extents.data(), nullptr));
    require(H5Sclose(space));
    require(H5Dclose(dataset));
  });
  return extents;
}

/// Creates a dataset that has its data elsewhere, as `choose` says of its creation properties.
void create_elsewhere(const std::string& path, const std::string& name, const Extents& extents,
                      const std::function<void(hid_t creation, hid_t space)>& choose) {
  remove_object(path, name);
  change_file(path, [&](hid_t file) {
    const hid_t space =
        require(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr));
    const hid_t creation = require(H5Pcreate(H5P_DATASET_CREATE));
    choose(creation, space);
    require(H5Dclose(require(H5Dcreate2(file, name.c_str(), H5T_IEEE_F32LE, space, H5P_DEFAULT,
                                        creation, H5P_DEFAULT))));
    require(H5Pclose(creation));
    require(H5Sclose(space));
  });
}

void move_behind_link(const std::string& path, const std::string& name) {
  const std::string other = name + ".linked.h5";
  fs::copy_file(path, beside(path, other));
  remove_object(path, name);
  change_file(path, [&](hid_t file) {
    require(H5Lcreate_external(other.c_str(), name.c_str(), file, name.c_str(), H5P_DEFAULT,
                               H5P_DEFAULT));
  });
}

/// Maps the first `images` of a dataset to as many files.
void map_images(const std::string& path, const std::string& name, const Extents& extents,
                hsize_t images) {
  create_elsewhere(path, name, extents, [&](hid_t creation, hid_t space) {
    Extents one = extents;
    one[0] = 1;
    const hid_t source =
        require(H5Screate_simple(static_cast<int>(one.size()), one.data(), nullptr));
    for (hsize_t image = 0; image < images; ++image) {
      Extents start(extents.size(), 0);
      start[0] = image;
      require(
          H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, one.data(), nullptr));
      const std::string file = name + "." + std::to_string(image) + ".h5";
      require(H5Pset_virtual(creation, space, file.c_str(), "data", source));
    }
    require(H5Sclose(source));
    require(H5Sselect_all(space));
  });
}

/// A file for each image.
void make_virtual(const std::string& path, const std::string& name) {
  const Extents extents = extents_of(path, name);
  const std::vector<float> values = read_floats(path, name);
  Extents one = extents;
  one[0] = 1;
  const std::size_t size = values.size() / extents[0];
  for (hsize_t image = 0; image < extents[0]; ++image) {
    const std::string file = beside(path, name + "." + std::to_string(image) + ".h5");
    require(H5Fclose(require(H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT))));
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(image * size);
    replace_dataset(file, "data", {one}, {first, first + static_cast<std::ptrdiff_t>(size)});
  }
  map_images(path, name, extents, extents[0]);
}

void make_external(const std::string& path, const std::string& name) {
  const Extents extents = extents_of(path, name);
  const std::vector<float> values = read_floats(path, name);
  const std::string raw = beside(path, name + ".raw");
  std::ofstream(raw, std::ios::binary) << "12345678";
  std::ofstream(raw, std::ios::binary | std::ios::app)
      .write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
  create_elsewhere(path, name, extents, [&](hid_t creation, hid_t) {
    require(H5Pset_external(creation, raw.c_str(), 8, values.size() * sizeof(float)));
  });
}

struct Form {
  const char* name;
  Move move;
  std::string found;
};

void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }

class AppOtherFiles : public AppInterrupted, public testing::WithParamInterface<Form> {};

TEST_P(AppOtherFiles, AreReadWhereAllowedAndElseRefused) {
  const Form& form = GetParam();
  form.move(input_, "input");
  for (const AppLaunch& launch : {AppLaunch{}, AppLaunch{.ranks = 3}}) {
    const AppResult refused = run("", launch);
    EXPECT_EQ(refused.exit_code, 2);
    ASSERT_EQ(refused.messages().size(), 1U) << refused.standard_error;
    EXPECT_TRUE(begins_with(refused.messages().front(),
                            "fusedconv_app: " + input_ +
                                ": input: expected data in this file, or --allow other-files, "
                                "found " +
                                form.found))
        << refused.messages().front();
    EXPECT_FALSE(fs::exists(output_));
    const AppResult allowed = run("--quiet --allow other-files", launch);
    EXPECT_EQ(allowed.exit_code, 0) << allowed.standard_error;
    expect_whole();
    fs::remove(output_);
  }
}

TEST_P(AppOtherFiles, CountAsMuchForParametersAndReferences) {
  const std::string parameters = directory_.file("parameters.h5");
  fs::copy_file(input_, parameters);
  GetParam().move(parameters, "conv.weight");
  const std::string reference = directory_.file("reference.h5");
  fs::copy_file(directory_.file("undisturbed.h5"), reference);
  GetParam().move(reference, "output");
  for (const std::string& arguments :
       {"--quiet --parameters " + parameters, "--quiet --tolerance 0 --verify " + reference}) {
    EXPECT_EQ(run(arguments).exit_code, 2);
    const AppResult allowed = run("--allow other-files " + arguments, {.ranks = 2});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.standard_error;
    expect_whole();
    fs::remove(output_);
  }
}

TEST_P(AppOtherFiles, ArePartOfWhatIsResumed) {
  GetParam().move(input_, "input");
  const std::string arguments = "--quiet --allow other-files";
  const AppResult stopped = run(arguments, {.fault = "signal-15:11:output.h5.part"});
  ASSERT_EQ(stopped.exit_code, 4) << stopped.standard_error;
  for (const fs::directory_entry& other : fs::directory_iterator(directory_.path())) {
    if (!other.path().filename().string().starts_with("input.h5") &&
        other.path().filename().string().starts_with("input.")) {
      fs::last_write_time(other, other.last_write_time() + std::chrono::seconds(1));
    }
  }
  const AppResult refused = run(arguments + " --resume");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.standard_error.find("made with another hash of the other files of the input"),
            std::string::npos)
      << refused.standard_error;
}

INSTANTIATE_TEST_SUITE_P(
    , AppOtherFiles,
    testing::Values(Form{"external_link", move_behind_link, "a link to the file input.linked.h5"},
                    Form{"virtual_dataset", make_virtual, "a virtual dataset"},
                    Form{"external_dataset", make_external, "data in the file /"}),
    [](const testing::TestParamInfo<Form>& info) { return info.param.name; });

class AppLinks : public AppInterrupted {};

/// To open a pipe is to wait for its writer.
TEST_F(AppLinks, AreNotFollowedToOtherFilesUnlessAllowed) {
  const std::string pipe = directory_.file("pipe.h5");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
  remove_object(input_, "input");
  change_file(input_, [&](hid_t file) {
    require(H5Lcreate_external(pipe.c_str(), "/", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT));
    require(H5Lcreate_soft("/elsewhere/input", file, "input", H5P_DEFAULT, H5P_DEFAULT));
  });
  const AppResult result = run("");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.standard_error,
            "fusedconv_app: " + input_ +
                ": input: expected data in this file, or --allow other-files, found a link to the "
                "file " +
                pipe + "\n");
}

/// What is wrong with files that are allowed. HDF5 itself would read zeros.
struct Lacking {
  const char* name;
  std::function<void(const std::string& path)> spoil;
  std::string file;  ///< which is named, in the input's directory
  std::string sentence;
};

void PrintTo(const Lacking& lacking, std::ostream* out) { *out << lacking.name; }

class AppRefusesOtherFiles : public AppInterrupted, public testing::WithParamInterface<Lacking> {};

TEST_P(AppRefusesOtherFiles, ThatDoNotHaveTheData) {
  GetParam().spoil(input_);
  const AppResult result = run("--allow other-files");
  EXPECT_EQ(result.exit_code, 2);
  ASSERT_EQ(result.messages().size(), 1U) << result.standard_error;
  EXPECT_TRUE(
      begins_with(result.messages().front(),
                  "fusedconv_app: " + beside(input_, GetParam().file) + ": " + GetParam().sentence))
      << result.messages().front();
  EXPECT_FALSE(fs::exists(output_));
}

INSTANTIATE_TEST_SUITE_P(
    , AppRefusesOtherFiles,
    testing::Values(
        Lacking{"source_that_is_not_there",
                [](const std::string& path) {
                  make_virtual(path, "input");
                  fs::remove(beside(path, "input.5.h5"));
                },
                "input.5.h5", "file: expected a readable HDF5 file, found no such file"},
        Lacking{"source_that_is_smaller",
                [](const std::string& path) {
                  make_virtual(path, "input");
                  replace_dataset(beside(path, "input.5.h5"), "data", {{1, 3, 17, 14}},
                                  std::vector<float>(3 * 17 * 14));
                },
                "input.5.h5", "data: expected what "},
        Lacking{"source_that_was_never_written",
                [](const std::string& path) {
                  make_virtual(path, "input");
                  replace_dataset(beside(path, "input.5.h5"), "data", {{1, 3, 17, 15}}, {});
                },
                "input.5.h5",
                "data: expected a dataset whose data is all there, found a dataset that was never"},
        Lacking{"images_without_source",
                [](const std::string& path) {
                  make_virtual(path, "input");
                  map_images(path, "input", {12, 3, 17, 15}, 11);
                },
                "input.h5",
                "input: expected sources of all 9180 elements, as hyperslabs, found sources of "
                "8415"},
        Lacking{"source_that_is_virtual",
                [](const std::string& path) {
                  make_virtual(path, "input");
                  make_virtual(beside(path, "input.0.h5"), "data");
                },
                "input.0.h5",
                "data: expected a source with data of its own, found a virtual dataset"},
        Lacking{"pattern_of_sources",
                [](const std::string& path) {
                  create_elsewhere(path, "input", {12, 3, 17, 15}, [](hid_t creation, hid_t space) {
                    require(H5Pset_virtual(creation, space, "%%b.h5", "data", space));
                  });
                },
                "input.h5",
                "input: expected a virtual dataset of fixed extents with sources that are named, "
                "found the pattern"},
        Lacking{"external_file_that_is_short",
                [](const std::string& path) {
                  make_external(path, "input");
                  const std::string raw = beside(path, "input.raw");
                  fs::resize_file(raw, fs::file_size(raw) - 1);
                },
                "input.h5",
                "input: expected a dataset whose data is all there, found 36720 bytes from byte 8 "
                "on in "},
        Lacking{"external_file_that_is_not_there",
                [](const std::string& path) {
                  make_external(path, "input");
                  fs::remove(beside(path, "input.raw"));
                },
                "input.raw", "file: expected a readable file with data of "},
        Lacking{"linked_file_that_is_not_there",
                [](const std::string& path) {
                  move_behind_link(path, "input");
                  fs::remove(beside(path, "input.linked.h5"));
                },
                "input.h5", "input: expected a dataset, found a link to nothing"}),
    [](const testing::TestParamInfo<Lacking>& info) { return info.param.name; });

}  // namespace
}  // namespace fusedconv::test
