// SPDX-License-Identifier: Apache-2.0
//
// What reads HDF5 files, on files whose objects a fuzzer has spoilt: the input and its parameters,
// references, and unfinished and complete outputs.
//
// FUSEDCONV_FUZZ_BYTES=1 overwrites single bytes besides, where it is HDF5's own decoding of its
// format that is tried above all.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "file_mutations.hpp"
#include "hdf5/checked_open.hpp"
#include "hdf5/filters.hpp"
#include "hdf5/images.hpp"
#include "hdf5/layer_file.hpp"
#include "hdf5/output_file.hpp"
#include "hdf5/stored_data.hpp"

namespace {

namespace hdf5 = fusedconv::app::hdf5;
using fusedconv::fuzz::forbidden_file;

bool others_are_allowed = true;
std::int64_t opened_files = 0;

/// In memory, and gone at the end of the process.
class Directory {
 public:
  Directory() { std::filesystem::create_directory(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/dev/shm/fusedconv_fuzz." + std::to_string(::getpid());
};

const std::string& directory() {
  static const Directory only;
  return only.path();
}

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "fuzz_files: %s\n", what.c_str());
  std::abort();
}

/// One line, or the message is no sentence.
template <class Read>
void refuse_or_read(Read&& read) {
  try {
    read();
  } catch (const hdf5::InvalidFile& error) {
    const std::string text = error.what();
    if (text.find('\n') != std::string::npos || text.empty()) fail("no sentence: " + text);
  }
}

void read_images(const std::string& path, const hdf5::LayerFile& layer) {
  const std::int64_t image = layer.shape.in_channels * layer.shape.height * layer.shape.width;
  // Beyond, time is spent in reading alone.
  if (image > 1 << 20) return;
  const hdf5::File file = hdf5::File::open_read_only(path);
  const hdf5::Dataset input = hdf5::Dataset::open(file, "input");
  std::vector<float> values(static_cast<std::size_t>(image));
  try {
    for (std::int64_t number = 0; number < std::min<std::int64_t>(layer.shape.batch, 4); ++number) {
      hdf5::read_region(input, {number, 1, 0, layer.shape.height}, values.data());
    }
  } catch (const hdf5::Error&) {
    // A checksum that is wrong, or chunks that do not decompress, are told while running.
  }
}

void read_all(const std::string& path, const hdf5::Permissions& permissions) {
  refuse_or_read([&] {
    const hdf5::LayerFile layer = hdf5::read_layer_file(path, "", std::nullopt, permissions);
    read_images(path, layer);
  });
  refuse_or_read(
      [&] { hdf5::read_layer_file(path, path, fusedconv::Activation::relu, permissions); });
  refuse_or_read([&] {
    const hdf5::File file = hdf5::open_checked_file(path);
    try {
      const hdf5::Dataset output = hdf5::open_checked_dataset(file, "output", permissions);
      hdf5::require_stored(file, output);
    } catch (const hdf5::Error& error) {
      throw hdf5::InvalidFile(path, error);
    }
  });
  others_are_allowed = false;
  hdf5::fingerprint_of_complete(path);
  fusedconv::Shape shape{.batch = 2,
                         .in_channels = 4,
                         .height = 6,
                         .width = 5,
                         .out_channels = 8,
                         .kernel_size = {3, 3},
                         .num_groups = 4};
  refuse_or_read([&] {
    hdf5::check_unfinished(path, shape, {});
    try {
      hdf5::complete_unfinished(path, {.backend = "serial", .fingerprint = "0123456789abcdef"});
    } catch (const hdf5::Error&) {
      // The file need not be one that HDF5 can write to.
      return;
    }
    if (hdf5::fingerprint_of_complete(path) != "0123456789abcdef") fail("what was written is lost");
  });
}

}  // namespace

/// Comes before the C library's, through which HDF5 opens files.
extern "C" int open(const char* path, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  ++opened_files;
  if (!others_are_allowed && forbidden_file(directory()) == path) fail("opened a forbidden file");
  return ::openat(AT_FDCWD, path, flags, mode);
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  hdf5::forbid_plugins();
  FuzzedDataProvider nothing(nullptr, 0);
  fusedconv::fuzz::write_mutated(forbidden_file(directory()), directory(), nothing);
  if (opened_files == 0) fail("does not see which files HDF5 opens");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const bool flips_bytes = std::getenv("FUSEDCONV_FUZZ_BYTES") != nullptr;
  FuzzedDataProvider decisions(bytes, size);
  const std::string path = directory() + "/mutated.h5";
  others_are_allowed = true;
  const bool permitted = decisions.ConsumeBool();
  fusedconv::fuzz::write_mutated(path, directory(), decisions);
  if (flips_bytes) fusedconv::fuzz::flip_bytes(path, decisions);
  others_are_allowed = permitted;
  read_all(path, {.other_files = permitted, .filter_plugins = false});
  others_are_allowed = true;
  return 0;
}
