// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "mount_options.hpp"

namespace fusedconv::test {
namespace {

const std::string mounts =
    "22 27 0:21 / /proc rw,nosuid - proc proc rw\n"
    "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro\n"
    "41 27 0:2 / /dev/shm rw,nosuid shared:3 master:1 - tmpfs tmpfs rw,size=16g\n"
    "42 27 0:39 /in /tmp/huge\\040pages rw,relatime - tmpfs tmpfs rw,size=10g,huge=advise\n"
    "43 27 0:3\n";

std::string options_of(const std::string& device) {
  std::istringstream mountinfo(mounts);
  return app::mount_options(mountinfo, device);
}

TEST(MountOptions, AreThoseOfTheFileSystem) {
  EXPECT_EQ(options_of("0:21"), "rw");
  EXPECT_EQ(options_of("254:0"), "rw,errors=remount-ro");
  EXPECT_EQ(options_of("0:2"), "rw,size=16g");
  EXPECT_EQ(options_of("0:39"), "rw,size=10g,huge=advise");
}

TEST(MountOptions, AreNoneOfWhatIsNotMountedOrNotTold) {
  EXPECT_EQ(options_of("0:3"), "");
  EXPECT_EQ(options_of("0:4"), "");
  EXPECT_EQ(options_of(""), "");
}

TEST(MountOptions, TellHugePages) {
  for (const char* options : {"huge=always", "rw,huge=advise", "rw,huge=within_size,size=1g"}) {
    EXPECT_TRUE(app::has_huge_pages(options)) << options;
  }
  for (const char* options : {"", "rw,size=1g", "rw,huge=never", "rw,nohuge=advise"}) {
    EXPECT_FALSE(app::has_huge_pages(options)) << options;
  }
}

}  // namespace
}  // namespace fusedconv::test
