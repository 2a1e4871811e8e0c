// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_TEAM_HPP
#define FUSEDCONV_SRC_TEAM_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <string>

namespace fusedconv::detail {

/// Whether kernels of this space run on the host's cores, one thread a team, rather than on a
/// device.
template <class ExecutionSpace>
inline constexpr bool runs_on_host =
    Kokkos::SpaceAccessibility<Kokkos::HostSpace,
                               typename ExecutionSpace::memory_space>::accessible;

/// Threads of a team whose kernel does not ask for a number of its own.
template <class ExecutionSpace>
inline constexpr int default_team_size = runs_on_host<ExecutionSpace> ? 1 : 256;

/// Scratch memory of a team.
struct Scratch {
  int level = 0;
  std::int64_t bytes = 0;
};

/// Gives a functor called with (team, item) to a team policy, from a first item on.
template <class Team, class Functor>
struct TeamItems {
  Functor functor;
  std::int64_t first;

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    functor(team, first + team.league_rank());
  }
};

/// The same for a functor that is not device code.
template <class Team, class Functor>
struct HostTeamItems {
  Functor functor;
  std::int64_t first;

  void operator()(const Team& team) const { functor(team, first + team.league_rank()); }
};

/// Does nothing with an item.
struct NoWork {
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team&, std::int64_t) const {}
};

/// Calls functor(team, item) for items 0 to items - 1, a team for each; asynchronous on exec.
/// League ranks are int, item numbers are not: long ranges take several launches. \tparam
/// PolicyTraits further traits of the Kokkos::TeamPolicy (launch bounds, schedule)
template <class... PolicyTraits, class ExecutionSpace, class Functor>
void for_each_team(const std::string& label, const ExecutionSpace& exec, std::int64_t items,
                   const Functor& functor, int team_size = default_team_size<ExecutionSpace>,
                   const Scratch& scratch = {}) {
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, PolicyTraits...>;
  using Team = typename Policy::member_type;
  using Items = std::conditional_t<runs_on_host<ExecutionSpace>, HostTeamItems<Team, Functor>,
                                   TeamItems<Team, Functor>>;
  constexpr std::int64_t max_league = 1 << 30;
  for (std::int64_t first = 0; first < items; first += max_league) {
    const int league = static_cast<int>(std::min(max_league, items - first));
    Policy policy(exec, league, team_size);
    if (scratch.bytes > 0) {
      policy.set_scratch_size(scratch.level, Kokkos::PerTeam(static_cast<int>(scratch.bytes)));
    }
    Kokkos::parallel_for(label, policy, Items{functor, first});
  }
}

/// Has the backend allocate level 1 scratch memory of that size now rather than at the first launch
/// that asks for it. Kokkos for CUDA otherwise allocates, if nothing, at every launch of a team
/// policy.
template <class ExecutionSpace>
void reserve_team_scratch(const ExecutionSpace& exec, std::int64_t bytes) {
  for_each_team("fusedconv::reserve_scratch", exec, 1, NoWork{}, default_team_size<ExecutionSpace>,
                Scratch{1, bytes});
}

}  // namespace fusedconv::detail

#endif
