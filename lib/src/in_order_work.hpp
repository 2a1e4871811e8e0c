// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_IN_ORDER_WORK_HPP
#define FUSEDCONV_SRC_IN_ORDER_WORK_HPP

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

#include "allocate.hpp"

namespace fusedconv::detail {

/// The order in which threads of the host take up the work on units that have two stages each: the
/// second may begin once all items of the first are done, and finds the unit's data in a cache if
/// that is soon.
///
/// The first-stage items of unit u are followed by the second-stage items of unit u - lag: by then
/// other threads have had time to finish what they had begun of that unit. A thread alone needs no
/// lag.
struct TwoStageOrder {
  struct Item {
    std::int64_t stage;  ///< 1 or 2
    std::int64_t unit;
    std::int64_t number;  ///< among the items of that unit and stage
  };

  std::int64_t units;
  std::int64_t first_items;   ///< of a unit
  std::int64_t second_items;  ///< of a unit
  std::int64_t lag;           ///< at most units

  TwoStageOrder(std::int64_t unit_count, std::int64_t first, std::int64_t second, int threads)
      : units(unit_count),
        first_items(first),
        second_items(second),
        lag(threads == 1 ? 0
                         : std::min(unit_count, (std::int64_t{2} * threads + first - 1) / first)) {}

  std::int64_t size() const { return units * (first_items + second_items); }

  Item operator[](std::int64_t i) const {
    if (i < lag * first_items) return {1, i / first_items, i % first_items};
    i -= lag * first_items;
    const std::int64_t both = first_items + second_items;
    if (i < (units - lag) * both) {
      const std::int64_t unit = lag + i / both;
      const std::int64_t number = i % both;
      if (number < first_items) return {1, unit, number};
      return {2, unit - lag, number - first_items};
    }
    i -= (units - lag) * both;
    return {2, units - lag + i / second_items, i % second_items};
  }
};

/// Shares the units among lanes, and the threads too: each lane takes up its units in a
/// TwoStageOrder of its own. The fewer threads work on a unit, the less of its data has to move
/// from one core's caches to another's; the fewer units are under way at once, the more of a cache
/// each has.
struct TwoStageLanes {
  std::int64_t units;
  std::int64_t first_items;   ///< of a unit
  std::int64_t second_items;  ///< of a unit
  std::int64_t lanes;         ///< at most units, at most threads
  int threads;

  std::int64_t first_unit(std::int64_t lane) const { return lane * units / lanes; }
  std::int64_t lane_of(std::int64_t thread) const { return thread * lanes / threads; }
  TwoStageOrder order(std::int64_t lane) const {
    const auto first_thread = [&](std::int64_t l) { return (l * threads + lanes - 1) / lanes; };
    return {first_unit(lane + 1) - first_unit(lane), first_items, second_items,
            static_cast<int>(first_thread(lane + 1) - first_thread(lane))};
  }
};

/// Hands the items of TwoStageLanes to the host threads of one parallel region. Threads that find
/// nothing left in their own lane help in the others.
///
/// A thread waits only for items that were handed out before its own to threads that are working on
/// them, so that any number of threads comes to an end, one included.
template <class ExecutionSpace>
class InOrderWork {
 public:
  /// \param max_units of any run
  InOrderWork(const ExecutionSpace& exec, std::int64_t max_units)
      : counters_(allocate<Counters>(exec, "work counters", max_units)) {}

  static std::int64_t workspace_bytes(std::int64_t max_units) {
    return max_units * 2 * static_cast<std::int64_t>(sizeof(Counter));
  }

  /// Must precede each run on its execution space instance.
  void reset(const ExecutionSpace& exec, std::int64_t units) const {
    const Counters counters = counters_;
    Kokkos::parallel_for(
        "fusedconv::reset_work_counters",
        Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>(exec, 0, units),
        [counters](const std::int64_t i) {
          counters(i, handed_out).value = 0;
          counters(i, done).value = 0;
        });
  }

  /// What each of the threads, 0 to lanes.threads - 1, does: first(unit, number) for items of the
  /// first stage, between(unit) once they are all done, second(unit, number) for those of the
  /// second.
  template <class First, class Between, class Second>
  void take_part(const TwoStageLanes& lanes, std::int64_t thread, const First& first,
                 const Between& between, const Second& second) const {
    const std::int64_t home = lanes.lane_of(thread);
    for (std::int64_t i = 0; i < lanes.lanes; ++i) {
      take_part_in_lane(lanes, (home + i) % lanes.lanes, first, between, second);
    }
  }

 private:
  template <class First, class Between, class Second>
  void take_part_in_lane(const TwoStageLanes& lanes, std::int64_t lane, const First& first,
                         const Between& between, const Second& second) const {
    const TwoStageOrder order = lanes.order(lane);
    const std::int64_t first_unit = lanes.first_unit(lane);
    const std::int64_t finished = order.first_items + 1;
    const std::int64_t size = order.size();
    for (;;) {
      const std::int64_t i = counter(lane, handed_out).fetch_add(1, std::memory_order_relaxed);
      if (i >= size) return;
      const TwoStageOrder::Item item = order[i];
      const std::int64_t unit = first_unit + item.unit;
      const auto items_done = counter(unit, done);
      if (item.stage == 1) {
        first(unit, item.number);
        if (items_done.fetch_add(1, std::memory_order_acq_rel) + 1 == order.first_items) {
          between(unit);
          items_done.store(finished, std::memory_order_release);
        }
      } else {
        while (items_done.load(std::memory_order_acquire) != finished) std::this_thread::yield();
        second(unit, item.number);
      }
    }
  }

  /// On a cache line of its own.
  struct alignas(64) Counter {
    std::int64_t value;
  };
  /// There are at most as many lanes as units.
  enum { handed_out /* by a lane */, done /* of a unit's first stage */ };
  using Counters =
      Kokkos::View<Counter* [2], Kokkos::LayoutRight, typename ExecutionSpace::memory_space>;

  std::atomic_ref<std::int64_t> counter(std::int64_t i, int of) const {
    return std::atomic_ref<std::int64_t>(counters_(i, of).value);
  }

  Counters counters_;
};

}  // namespace fusedconv::detail

#endif
