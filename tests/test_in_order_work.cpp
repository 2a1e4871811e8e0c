// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstdint>
#include <set>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "in_order_work.hpp"

namespace fusedconv::detail {
namespace {

TEST(TwoStageOrder, HandsOutEachItemOnceAndStagesInOrder) {
  for (const auto& [units, first, second, threads] :
       std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t, int>>{{1, 1, 1, 1},
                                                                              {1, 5, 3, 4},
                                                                              {7, 1, 1, 16},
                                                                              {7, 3, 2, 1},
                                                                              {7, 3, 2, 2},
                                                                              {20, 4, 9, 3},
                                                                              {3, 100, 1, 2}}) {
    const TwoStageOrder order(units, first, second, threads);
    EXPECT_EQ(order.size(), units * (first + second));
    std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> seen;
    std::vector<std::int64_t> done(units);
    for (std::int64_t i = 0; i < order.size(); ++i) {
      const TwoStageOrder::Item item = order[i];
      EXPECT_TRUE(seen.insert({item.stage, item.unit, item.number}).second);
      ASSERT_TRUE(item.unit >= 0 && item.unit < units);
      ASSERT_TRUE(item.number >= 0 && item.number < (item.stage == 1 ? first : second));
      if (item.stage == 1) {
        ++done[item.unit];
      } else {
        EXPECT_EQ(done[item.unit], first) << "a thread alone would wait for itself";
      }
    }
  }
}

TEST(TwoStageLanes, ShareOutUnitsAndThreads) {
  for (const auto& [units, count, threads] :
       std::vector<std::tuple<std::int64_t, std::int64_t, int>>{
           {1, 1, 1}, {1, 1, 16}, {8, 2, 2}, {8, 3, 16}, {5, 5, 5}, {1000, 7, 9}}) {
    const TwoStageLanes lanes{units, 4, 2, count, threads};
    EXPECT_EQ(lanes.first_unit(0), 0);
    EXPECT_EQ(lanes.first_unit(count), units);
    std::vector<int> threads_in(count);
    for (int thread = 0; thread < threads; ++thread) ++threads_in.at(lanes.lane_of(thread));
    for (std::int64_t lane = 0; lane < count; ++lane) {
      EXPECT_GE(threads_in[lane], 1);
      const TwoStageOrder order = lanes.order(lane);
      EXPECT_EQ(order.units, lanes.first_unit(lane + 1) - lanes.first_unit(lane));
      EXPECT_GE(order.units, 1);
      EXPECT_EQ(order.lag == 0, threads_in[lane] == 1);
    }
  }
}

TEST(InOrderWork, SecondStageSeesAllOfTheFirstOnAnyNumberOfThreads) {
  using Space = Kokkos::DefaultHostExecutionSpace;
  constexpr std::int64_t units = 40;
  constexpr std::int64_t first_items = 6;
  constexpr std::int64_t second_items = 3;
  const Space exec;
  const InOrderWork<Space> work(exec, units);
  for (const auto& [threads, lane_count] : std::vector<std::pair<int, std::int64_t>>{
           {1, 1}, {2, 1}, {2, 2}, {3, 2}, {8, 1}, {8, 3}, {8, 8}}) {
    const TwoStageLanes lanes{units, first_items, second_items, lane_count, threads};
    for (int repetition = 0; repetition < 50; ++repetition) {
      work.reset(exec, units);
      exec.fence("fusedconv::test: counters reset");
      std::vector<int> written(units * first_items, 0);
      std::vector<int> merged(units, 0);
      std::vector<int> read(units * second_items, 0);
      std::vector<std::thread> team;
      for (int t = 0; t < threads; ++t) {
        team.emplace_back([&, t] {
          work.take_part(
              lanes, t,
              [&](std::int64_t unit, std::int64_t i) { written[unit * first_items + i] += 1; },
              [&](std::int64_t unit) {
                for (std::int64_t i = 0; i < first_items; ++i) {
                  merged[unit] += written[unit * first_items + i];
                }
              },
              [&](std::int64_t unit, std::int64_t i) {
                read[unit * second_items + i] += merged[unit];
              });
        });
      }
      for (std::thread& thread : team) thread.join();
      EXPECT_TRUE(std::all_of(merged.begin(), merged.end(),
                              [](int value) { return value == first_items; }));
      EXPECT_TRUE(
          std::all_of(read.begin(), read.end(), [](int value) { return value == first_items; }));
    }
  }
}

}  // namespace
}  // namespace fusedconv::detail
