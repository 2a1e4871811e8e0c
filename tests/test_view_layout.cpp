// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>

#include "execution_space_types.hpp"
#include "view_layout.hpp"

namespace fusedconv::detail {
namespace {

template <class ExecutionSpace>
class ViewLayoutTest : public testing::Test {};

TYPED_TEST_SUITE(ViewLayoutTest, test::ExecutionSpaceTypes, test::ExecutionSpaceNames);

TYPED_TEST(ViewLayoutTest, IsTheSameForHostAndDevice) {
  EXPECT_NO_THROW(check_view_layout_once(TypeParam()));
}

TYPED_TEST(ViewLayoutTest, IsCheckedByWhatAKernelSees) {
  using Memory = typename TypeParam::memory_space;
  const Kokkos::View<float*, Kokkos::LayoutRight, Memory> rank_1("rank 1", 13);
  const Kokkos::View<float**, Kokkos::LayoutRight, Memory> rank_2("rank 2", 11, 17);
  const Kokkos::View<float****, Kokkos::LayoutRight, Memory> rank_4("rank 4", 2, 3, 5, 7);
  const Kokkos::View<std::int64_t*, Memory> members("members", ViewMembers{}.size());
  const SeeViews<TypeParam, Kokkos::MemoryTraits<0>> see{members.data(), rank_1, -7, rank_2, -8,
                                                         rank_4,         -9};
  Kokkos::parallel_for(Kokkos::RangePolicy<TypeParam>(0, 1), see);
  const auto found = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, members);
  const auto address = [](const float* data) {
    return static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(data));
  };
  const ViewMembers expected{
      address(rank_1.data()), 13, 1,  -7,                                  // rank 1
      address(rank_2.data()), 11, 17, 17, 1, -8,                           // rank 2
      address(rank_4.data()), 2,  3,  5,  7, 3 * 5 * 7, 5 * 7, 7, 1, -9};  // rank 4
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(found(i), expected[i]) << view_member_name(i);
  }
}

TEST(ViewMembers, AreAllNamedDifferently) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < ViewMembers{}.size(); ++i) names.insert(view_member_name(i));
  EXPECT_EQ(names.size(), ViewMembers{}.size());
}

TEST(ViewMembers, ThatAreTheSamePass) {
  ViewMembers members{};
  members[3] = 5;
  EXPECT_NO_THROW(require_same_view_members("Abacus", members, members));
}

TEST(ViewMembers, ThatDifferAreToldInASentence) {
  const struct {
    std::size_t index;
    const char* name;
  } cases[] = {{0, "data pointer of a View of rank 1"}, {1, "extent 0 of a View of rank 1"},
               {3, "integer after a View of rank 1"},   {4, "data pointer of a View of rank 2"},
               {6, "extent 1 of a View of rank 2"},     {8, "stride 1 of a View of rank 2"},
               {18, "stride 3 of a View of rank 4"},    {19, "integer after a View of rank 4"}};
  for (const auto& [index, name] : cases) {
    SCOPED_TRACE(name);
    ViewMembers on_host{};
    on_host[index] = 13;
    ViewMembers on_device = on_host;
    on_device[index] = 1000001;
    for (std::size_t later = index + 1; later < on_device.size(); ++later) on_device[later] = -1;
    try {
      require_same_view_members("Abacus", on_host, on_device);
      ADD_FAILURE() << "nothing thrown";
    } catch (const std::runtime_error& error) {
      const std::string sentence = error.what();
      EXPECT_TRUE(sentence.starts_with(std::string(name) + " captured by value on Abacus: "
                                                           "expected 13 as on the host, found "
                                                           "1000001"))
          << sentence;
      for (const char* words : {"Kokkos ", "device compiler disagree on the layout of Kokkos::View",
                                "build with a newer Kokkos"}) {
        EXPECT_NE(sentence.find(words), std::string::npos) << sentence;
      }
    }
  }
}

}  // namespace
}  // namespace fusedconv::detail
