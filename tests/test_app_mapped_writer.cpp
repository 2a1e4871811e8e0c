// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "mapped_writer.hpp"
#include "mount_options.hpp"
#include "temporary_directory.hpp"
#include "transfer.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;
using app::hdf5::ElementType;
using app::hdf5::Region;

// Where HDF5 might put it: on no page's border.
constexpr std::int64_t address = 2072;
// Images of 1.3 MB, channels of no whole number of pages.
const std::vector<std::int64_t> extents{3, 5, 251, 259};

bool kernel_populates() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory =
      ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool populated = ::madvise(memory, page, MADV_POPULATE_WRITE) == 0;
  ::munmap(memory, page);
  return populated;
}

class MappedWriter : public testing::Test {
 protected:
  void SetUp() override {
    if (!kernel_populates()) GTEST_SKIP() << "needs MADV_POPULATE_WRITE, of Linux 5.14";
    make_file();
  }

  void make_file() {
    std::ofstream(path_).close();
    fs::resize_file(path_, address + count_ * 4 + 10);
    std::iota(values_.begin(), values_.end(), 1.0F);
  }

  /// The values of a region, one after the other.
  std::vector<float> part(const Region& region) const {
    std::vector<float> values;
    for (std::int64_t plane = region.first_image * extents[1];
         plane < (region.first_image + region.images) * extents[1]; ++plane) {
      const auto first = values_.begin() + (plane * extents[2] + region.first_row) * extents[3];
      values.insert(values.end(), first, first + region.rows * extents[3]);
    }
    return values;
  }

  std::string bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("mapped");
  std::int64_t count_ = extents[0] * extents[1] * extents[2] * extents[3];
  std::vector<float> values_ = std::vector<float>(static_cast<std::size_t>(count_));
};

TEST_F(MappedWriter, FillsADatasetAndNothingAroundIt) {
  const std::vector<Region> regions{
      {2, 1, 0, 251}, {0, 1, 100, 150}, {0, 1, 0, 100}, {0, 1, 250, 1}, {1, 1, 0, 251}};
  for (const int threads : {1, 3, 8}) {
    make_file();
    const app::MappedWriter writer(path_, address, extents, ElementType::float32, threads);
    for (const Region& region : regions) EXPECT_TRUE(writer.write(region, part(region).data()));
    const std::string written = bytes();
    EXPECT_EQ(written.substr(0, address), std::string(address, '\0'));
    EXPECT_EQ(written.substr(address + values_.size() * 4), std::string(10, '\0'));
    EXPECT_EQ(std::memcmp(written.data() + address, values_.data(), values_.size() * 4), 0);
  }
}

TEST_F(MappedWriter, RoundsAsItIsStored) {
  for (const ElementType type : {ElementType::float16, ElementType::bfloat16}) {
    make_file();
    const app::MappedWriter writer(path_, address, extents, type, 2);
    const Region all{0, 3, 0, 251};
    EXPECT_TRUE(writer.write(all, values_.data()));
    std::vector<std::uint16_t> expected(values_.size());
    (type == ElementType::float16 ? app::hdf5::to_float16 : app::hdf5::to_bfloat16)(
        values_.data(), count_, expected.data());
    const std::string written = bytes();
    EXPECT_EQ(std::memcmp(written.data() + address, expected.data(), expected.size() * 2), 0);
  }
}

/// Elements then lie across borders of pages.
TEST_F(MappedWriter, FillsADatasetThatBeginsAnywhere) {
  for (const std::int64_t begin : {2073, 2074, 2075}) {
    fs::resize_file(path_, static_cast<std::uintmax_t>(begin + count_ * 4));
    const app::MappedWriter writer(path_, begin, extents, ElementType::float32, 3);
    EXPECT_TRUE(writer.write({0, 3, 0, 251}, values_.data()));
    const std::string written = bytes();
    EXPECT_EQ(std::memcmp(written.data() + begin, values_.data(), values_.size() * 4), 0);
    const app::MappedWriter of_16_bits(path_, begin, extents, ElementType::bfloat16, 1);
    EXPECT_EQ(of_16_bits.write({0, 1, 0, 251}, values_.data()), begin % 2 == 0);
  }
}

/// What a full file system is as well: pages that there cannot be.
TEST_F(MappedWriter, SaysWhereItCannot) {
  fs::resize_file(path_, address + count_ * 2);
  const app::MappedWriter writer(path_, address, extents, ElementType::float32, 4);
  EXPECT_TRUE(writer.write({0, 1, 0, 251}, values_.data()));
  EXPECT_FALSE(writer.write({1, 2, 0, 251}, values_.data()));
  EXPECT_FALSE(writer.write({2, 1, 0, 251}, values_.data()));
  EXPECT_EQ(fs::file_size(path_), static_cast<std::uintmax_t>(address + count_ * 2));
}

TEST_F(MappedWriter, NamesAFileThatItCannotOpen) {
  try {
    const app::MappedWriter writer(path_ + ".missing", address, extents, ElementType::float32, 1);
    FAIL() << "opened a file that is not there";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find(path_ + ".missing"), std::string::npos);
  }
}

TEST(Transfer, HasNames) {
  for (const std::string& name : app::transfer_names()) {
    EXPECT_EQ(app::to_string(app::transfer_from_string(name)), name);
  }
}

TEST(Transfer, IsAsWanted) {
  const TemporaryDirectory directory;
  std::ofstream(directory.file("a")).close();
  for (const auto transfer : {app::Transfer::independent, app::Transfer::mapped}) {
    for (const int threads : {1, 8}) {
      EXPECT_EQ(app::transfer_to(directory.file("a"), {transfer, threads, true}), transfer);
    }
  }
}

TEST(Transfer, IsMappedToMemoryByEnoughThreadsThatDoNotCompute) {
  const std::string memory = "/dev/shm";
  struct statfs system {};
  if (::statfs(memory.c_str(), &system) != 0 || system.f_type != TMPFS_MAGIC) {
    GTEST_SKIP() << "needs a tmpfs in " << memory;
  }
  const auto automatic = app::Transfer::automatic;
  EXPECT_EQ(app::transfer_to(memory, {automatic, 4, false}), app::Transfer::mapped);
  EXPECT_EQ(app::transfer_to("/proc/self/exe", {automatic, 8, false}), app::Transfer::independent);
  struct stat file {};
  ASSERT_EQ(::stat(memory.c_str(), &file), 0);
  std::ifstream mountinfo("/proc/self/mountinfo");
  const std::string device =
      std::to_string(major(file.st_dev)) + ":" + std::to_string(minor(file.st_dev));
  if (app::has_huge_pages(app::mount_options(mountinfo, device))) {
    EXPECT_EQ(app::transfer_to(memory, {automatic, 1, true}), app::Transfer::mapped);
  } else {
    EXPECT_EQ(app::transfer_to(memory, {automatic, 3, false}), app::Transfer::independent);
    EXPECT_EQ(app::transfer_to(memory, {automatic, 8, true}), app::Transfer::independent);
  }
}

}  // namespace
}  // namespace fusedconv::test
