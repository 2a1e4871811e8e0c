// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "host_memory.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t gibibyte = std::int64_t{1} << 30;

/// A system of 100 GiB that are free, as /proc and /sys/fs/cgroup tell of it.
class FreeHostMemory : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* variable : variables_) unsetenv(variable);
    write("proc/meminfo",
          "MemTotal:       209715200 kB\nMemFree:        1024 kB\nMemAvailable:   104857600 kB\n");
  }
  void TearDown() override {
    for (const char* variable : variables_) unsetenv(variable);
  }

  void write(const std::string& name, const std::string& text) const {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  void write_group_1(const std::string& path, std::int64_t limit, std::int64_t usage,
                     std::int64_t inactive) const {
    const std::string group = "sys/fs/cgroup/memory" + path + "/";
    write(group + "memory.limit_in_bytes", std::to_string(limit) + "\n");
    write(group + "memory.usage_in_bytes", std::to_string(usage) + "\n");
    write(group + "memory.stat",
          "cache 5\ninactive_file 7\ntotal_inactive_file " + std::to_string(inactive) + "\n");
  }

  void write_group_2(const std::string& mount, const std::string& path, const std::string& limit,
                     std::int64_t usage, std::int64_t inactive) const {
    const std::string group = "sys/fs/cgroup" + mount + path + "/";
    write(group + "memory.max", limit + "\n");
    write(group + "memory.current", std::to_string(usage) + "\n");
    write(group + "memory.stat",
          "anon 5\nfile 9\ninactive_file " + std::to_string(inactive) + "\nactive_file 3\n");
  }

  std::int64_t left() const { return app::free_host_memory(root_); }

  TemporaryDirectory directory_;
  fs::path root_ = directory_.file("root");
  const std::array<const char*, 3> variables_{"SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU",
                                              "SLURM_CPUS_ON_NODE"};
};

TEST_F(FreeHostMemory, IsWhatTheSystemHasWhereNothingLimitsIt) {
  EXPECT_EQ(left(), 100 * gibibyte);
  write("proc/self/cgroup", "0::/user.slice\n");
  EXPECT_EQ(left(), 100 * gibibyte);
  write_group_2("", "/user.slice", "max", gibibyte, 0);
  EXPECT_EQ(left(), 100 * gibibyte);
}

TEST_F(FreeHostMemory, IsWhatAGroupOfVersion2Leaves) {
  write("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  write_group_2("", "/slurm/job_7/step_0", std::to_string(8 * gibibyte), 3 * gibibyte, gibibyte);
  EXPECT_EQ(left(), 6 * gibibyte);
}

TEST_F(FreeHostMemory, IsWhatTheTightestGroupAboveLeaves) {
  write("proc/self/cgroup", "0::/slurm/job_7/step_0/task_1\n");
  write_group_2("", "/slurm/job_7/step_0/task_1", "max", gibibyte, 0);
  write_group_2("", "/slurm/job_7/step_0", std::to_string(50 * gibibyte), gibibyte, 0);
  write_group_2("", "/slurm/job_7", std::to_string(4 * gibibyte), gibibyte, 0);
  write_group_2("", "/slurm", std::to_string(90 * gibibyte), gibibyte, 0);
  EXPECT_EQ(left(), 3 * gibibyte);
}

TEST_F(FreeHostMemory, IsWhatAContainerLeavesThatSeesItsOwnGroupAlone) {
  write("proc/self/cgroup", "0::/\n");
  write_group_2("", "", std::to_string(2 * gibibyte), gibibyte, 0);
  EXPECT_EQ(left(), gibibyte);
  // Of version 1, with the path that the group has outside.
  write("proc/self/cgroup", "12:cpu,cpuacct:/docker/abc\n4:hugetlb,memory:/docker/abc\n");
  fs::remove_all(root_ / "sys");
  write_group_1("", 5 * gibibyte, 3 * gibibyte, 2 * gibibyte);
  EXPECT_EQ(left(), 4 * gibibyte);
}

TEST_F(FreeHostMemory, IsWhatAGroupOfVersion1Leaves) {
  write("proc/self/cgroup", "9:name=systemd:/\n4:memory:/batch/job\n0::/\n");
  // What the kernel says where there is no limit.
  write_group_1("", 9223372036854771712, 60 * gibibyte, 0);
  write_group_1("/batch", 30 * gibibyte, 10 * gibibyte, gibibyte);
  EXPECT_EQ(left(), 21 * gibibyte);
  write_group_1("/batch/job", 7 * gibibyte, gibibyte, 0);
  EXPECT_EQ(left(), 6 * gibibyte);
  // Both versions at once.
  write_group_2("/unified", "", std::to_string(5 * gibibyte), 0, 0);
  EXPECT_EQ(left(), 5 * gibibyte);
}

TEST_F(FreeHostMemory, IsNeverLessThanNothing) {
  write("proc/self/cgroup", "0::/full\n");
  write_group_2("", "/full", std::to_string(gibibyte), 2 * gibibyte, 0);
  EXPECT_EQ(left(), 0);
  write_group_2("", "/full", std::to_string(gibibyte), gibibyte, 2 * gibibyte);
  EXPECT_EQ(left(), gibibyte);
}

TEST_F(FreeHostMemory, IsWhatSlurmAllows) {
  setenv("SLURM_MEM_PER_NODE", "4096", 1);
  EXPECT_EQ(left(), 4 * gibibyte);
  setenv("SLURM_MEM_PER_NODE", "0", 1);
  EXPECT_EQ(left(), 100 * gibibyte);
  setenv("SLURM_MEM_PER_CPU", "2048", 1);
  EXPECT_EQ(left(), 100 * gibibyte);
  setenv("SLURM_CPUS_ON_NODE", "16", 1);
  EXPECT_EQ(left(), 32 * gibibyte);
  setenv("SLURM_MEM_PER_NODE", "1024", 1);
  EXPECT_EQ(left(), gibibyte);
}

TEST_F(FreeHostMemory, MindsNoNonsense) {
  write("proc/self/cgroup", "nothing\n0:\n0::/group\n");
  write_group_2("", "/group", "a lot", gibibyte, 0);
  setenv("SLURM_MEM_PER_NODE", "all", 1);
  setenv("SLURM_MEM_PER_CPU", "9223372036854775807", 1);
  setenv("SLURM_CPUS_ON_NODE", "16", 1);
  EXPECT_EQ(left(), 100 * gibibyte);
}

TEST(HostMemory, IsThereOnThisSystem) {
  EXPECT_GT(app::free_host_memory(), 0);
  EXPECT_GT(app::peak_host_memory(), 0);
}

}  // namespace
}  // namespace fusedconv::test
