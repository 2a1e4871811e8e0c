// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_VIEW_LAYOUT_HPP
#define FUSEDCONV_SRC_VIEW_LAYOUT_HPP

#include <Kokkos_Core.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "allocate.hpp"
#include "team.hpp"

/// A check that device code sees the Views of a functor as the host that made it does.
///
/// A View with members of no size has its other members where the compiler of that code puts them.
/// Host and device compilers that disagree on it give kernels wrong pointers and extents, and the
/// size of a View need not show it: members are compared by value.
namespace fusedconv::detail {

inline constexpr std::array<int, 3> checked_view_ranks{1, 2, 4};

/// What is seen of Views of each of the ranks: data pointer, extents, strides and the integer that
/// follows the View.
using ViewMembers = std::array<std::int64_t, 3 * 2 + 2 * (1 + 2 + 4)>;

inline std::string view_member_name(std::size_t index) {
  for (const int rank : checked_view_ranks) {
    const auto axes = static_cast<std::size_t>(rank);
    const std::string of_view = " of a View of rank " + std::to_string(rank);
    if (index == 0) return "data pointer" + of_view;
    if (index <= axes) return "extent " + std::to_string(index - 1) + of_view;
    if (index <= 2 * axes) return "stride " + std::to_string(index - 1 - axes) + of_view;
    if (index == 2 * axes + 1) return "integer after a View of rank " + std::to_string(rank);
    index -= 2 * axes + 2;
  }
  return "nothing";
}

/// \param space where device code ran
/// \throws std::runtime_error naming the first member that differs
inline void require_same_view_members(const std::string& space, const ViewMembers& on_host,
                                      const ViewMembers& on_device) {
  for (std::size_t i = 0; i < on_host.size(); ++i) {
    if (on_host[i] == on_device[i]) continue;
    throw std::runtime_error(
        view_member_name(i) + " captured by value on " + space + ": expected " +
        std::to_string(on_host[i]) + " as on the host, found " + std::to_string(on_device[i]) +
        ", for Kokkos " + std::to_string(KOKKOS_VERSION / 10000) + "." +
        std::to_string(KOKKOS_VERSION / 100 % 100) + "." + std::to_string(KOKKOS_VERSION % 100) +
        " and the device compiler disagree on the layout of Kokkos::View: build with a newer "
        "Kokkos or with another version of the device compiler");
  }
}

/// A kernel that tells what it sees of the Views that it has captured.
/// \tparam Traits those that count references have other members than those that do not
template <class ExecutionSpace, class Traits>
struct SeeViews {
  template <class DataType>
  using View =
      Kokkos::View<DataType, Kokkos::LayoutRight, typename ExecutionSpace::memory_space, Traits>;

  /// First, so that no View can shift it.
  std::int64_t* members;
  View<float*> rank_1;
  std::int64_t after_rank_1;
  View<float**> rank_2;
  std::int64_t after_rank_2;
  View<float****> rank_4;
  std::int64_t after_rank_4;

  KOKKOS_FUNCTION void operator()(int) const { write_to(members); }

  KOKKOS_FUNCTION void write_to(std::int64_t* to) const {
    to = write(rank_1, after_rank_1, to);
    to = write(rank_2, after_rank_2, to);
    write(rank_4, after_rank_4, to);
  }

  template <class ViewType>
  KOKKOS_FUNCTION static std::int64_t* write(const ViewType& view, std::int64_t after,
                                             std::int64_t* to) {
    const int rank = static_cast<int>(ViewType::rank());
    *to++ = static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(view.data()));
    for (int axis = 0; axis < rank; ++axis) *to++ = static_cast<std::int64_t>(view.extent(axis));
    for (int axis = 0; axis < rank; ++axis) *to++ = static_cast<std::int64_t>(view.stride(axis));
    *to++ = after;
    return to;
  }
};

/// Checks Views of given traits, made of Views that count references.
template <class Traits, class ExecutionSpace, class Rank1, class Rank2, class Rank4>
void check_views(const ExecutionSpace& exec, const Rank1& rank_1, const Rank2& rank_2,
                 const Rank4& rank_4) {
  using HostView = Kokkos::View<std::int64_t*, Kokkos::LayoutRight, Kokkos::HostSpace,
                                Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  ViewMembers on_host{};
  ViewMembers on_device{};
  on_device.fill(-1);  // what is found if the kernel writes nothing
  const HostView host(on_device.data(), on_device.size());
  const auto device = allocate<
      Kokkos::View<std::int64_t*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space>>(
      exec, "members of Views", on_device.size());
  const SeeViews<ExecutionSpace, Traits> see{device.data(), rank_1, 1000001, rank_2,
                                             1000002,       rank_4, 1000004};
  see.write_to(on_host.data());
  Kokkos::deep_copy(exec, device, host);
  Kokkos::parallel_for("fusedconv::see Views", Kokkos::RangePolicy<ExecutionSpace>(exec, 0, 1),
                       see);
  Kokkos::deep_copy(exec, host, device);
  exec.fence("fusedconv::see Views: the members are on the host");
  require_same_view_members(ExecutionSpace::name(), on_host, on_device);
}

/// The check itself; what it allocates, it frees.
template <class ExecutionSpace>
void check_view_layout_once(const ExecutionSpace& exec) {
  using Memory = typename ExecutionSpace::memory_space;
  const auto check = [&exec] {
    // No two extents are the same.
    const auto rank_1 =
        allocate<Kokkos::View<float*, Kokkos::LayoutRight, Memory>>(exec, "View of rank 1", 13);
    const auto rank_2 = allocate<Kokkos::View<float**, Kokkos::LayoutRight, Memory>>(
        exec, "View of rank 2", 11, 17);
    const auto rank_4 = allocate<Kokkos::View<float****, Kokkos::LayoutRight, Memory>>(
        exec, "View of rank 4", 2, 3, 5, 7);
    check_views<Kokkos::MemoryTraits<0>>(exec, rank_1, rank_2, rank_4);
    check_views<Kokkos::MemoryTraits<Kokkos::Unmanaged>>(exec, rank_1, rank_2, rank_4);
    return true;
  };
  [[maybe_unused]] static const bool checked = check();
}

/// Checks Views of ranks 1, 2 and 4 once for each device's execution space and process, and fences
/// the instance then. On the host one compiler makes all code, so there is nothing to check.
/// \throws std::runtime_error as require_same_view_members, then again on the next call
template <class ExecutionSpace>
void require_same_view_layout([[maybe_unused]] const ExecutionSpace& exec) {
  if constexpr (!runs_on_host<ExecutionSpace>) check_view_layout_once(exec);
}

}  // namespace fusedconv::detail

#endif
