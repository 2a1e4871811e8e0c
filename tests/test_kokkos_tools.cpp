// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <fusedconv/layer.hpp>
#include <fusedconv/row_range.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "run_layer.hpp"

namespace fusedconv::test {
namespace {

/// What Kokkos told its tools, in order.
struct Event {
  enum class Kind { kernel, allocation, deallocation, fence, deep_copy, region };
  Kind kind;
  std::string name;
  int region_depth;
};

using Kind = Event::Kind;

std::vector<Event> events;
int region_depth = 0;

void record(Kind kind, const char* name) { events.push_back({kind, name, region_depth}); }

void begin_kernel(const char* name, std::uint32_t, std::uint64_t*) { record(Kind::kernel, name); }
void begin_fence(const char* name, std::uint32_t, std::uint64_t*) {
  // Those that Kokkos adds because a tool listens are not the library's.
  if (!std::string_view(name).starts_with("Kokkos::Tools::")) record(Kind::fence, name);
}
void push_region(const char* name) {
  record(Kind::region, name);
  ++region_depth;
}
void pop_region() { --region_depth; }
void allocate(Kokkos::Tools::SpaceHandle, const char* label, const void*, std::uint64_t) {
  record(Kind::allocation, label);
}
void deallocate(Kokkos::Tools::SpaceHandle, const char* label, const void*, std::uint64_t) {
  record(Kind::deallocation, label);
}
void begin_deep_copy(Kokkos::Tools::SpaceHandle, const char* destination, const void*,
                     Kokkos::Tools::SpaceHandle, const char*, const void*, std::uint64_t) {
  record(Kind::deep_copy, destination);
}

/// Listens from its construction to its destruction.
class Recording {
 public:
  Recording() {
    using namespace Kokkos::Tools::Experimental;
    events.clear();
    region_depth = 0;
    set_begin_parallel_for_callback(begin_kernel);
    set_begin_parallel_reduce_callback(begin_kernel);
    set_begin_parallel_scan_callback(begin_kernel);
    set_begin_fence_callback(begin_fence);
    set_begin_deep_copy_callback(begin_deep_copy);
    set_push_region_callback(push_region);
    set_pop_region_callback(pop_region);
    set_allocate_data_callback(allocate);
    set_deallocate_data_callback(deallocate);
  }
  ~Recording() { Kokkos::Tools::Experimental::set_callbacks(previous_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  Kokkos::Tools::Experimental::EventSet previous_ = Kokkos::Tools::Experimental::get_callbacks();
};

std::vector<std::string> names_of(Kind kind) {
  std::vector<std::string> names;
  for (const Event& event : events) {
    if (event.kind == kind) names.push_back(event.name);
  }
  return names;
}

/// Work that Kokkos does on its own account and labels so.
bool is_kokkos_own(std::string_view name) { return name.starts_with("Kokkos::"); }

void expect_named_after_the_library(Kind kind) {
  for (const std::string& name : names_of(kind)) {
    EXPECT_TRUE(name.starts_with("fusedconv::") || is_kokkos_own(name)) << name;
  }
}

/// What a run may do: launch kernels, in a region of the library's.
void expect_kernels_in_regions_alone(Algorithm algorithm) {
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.front().kind, Kind::region);
  EXPECT_EQ(region_depth, 0);
  EXPECT_FALSE(names_of(Kind::kernel).empty());
  for (const Event& event : events) {
    const std::string_view event_name = event.name;
    EXPECT_TRUE(event_name.starts_with("fusedconv::") ||
                (algorithm == Algorithm::gemm && event_name.starts_with("KokkosBlas::")))
        << event_name;
    EXPECT_TRUE(event.kind == Kind::region || event.kind == Kind::kernel) << event.name;
    EXPECT_TRUE(event.kind == Kind::region || event.region_depth > 0) << event.name;
  }
}

template <class ExecutionSpace>
class KokkosToolsTest : public testing::Test {};

TYPED_TEST_SUITE(KokkosToolsTest, ExecutionSpaceTypes, ExecutionSpaceNames);

const Shape shape{.batch = 2,
                  .in_channels = 4,
                  .height = 40,
                  .width = 70,
                  .out_channels = 8,
                  .kernel_size = {3, 3},
                  .num_groups = 2};

TYPED_TEST(KokkosToolsTest, ConstructionIsLabelled) {
  using MemorySpace = typename TypeParam::memory_space;
  const TypeParam exec;
  const Parameters<MemorySpace> parameters =
      device_parameters<MemorySpace>(random_problem(shape, 1));
  for (const Algorithm algorithm : available_algorithms<TypeParam>(shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const Recording recording;
    const Layer<TypeParam> layer(exec, shape, parameters, {.algorithm = algorithm});
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.front().kind, Kind::region);
    for (const Event& event : events) {
      EXPECT_TRUE(event.kind == Kind::region || event.region_depth > 0) << event.name;
    }
    EXPECT_EQ(region_depth, 0);
    EXPECT_FALSE(names_of(Kind::allocation).empty());
    for (const Kind kind : {Kind::region, Kind::kernel, Kind::allocation, Kind::fence}) {
      expect_named_after_the_library(kind);
    }
  }
}

TYPED_TEST(KokkosToolsTest, ARunIsLabelledAndNeitherAllocatesNorFencesNorCopies) {
  const TypeParam exec;
  const Problem problem = random_problem(shape, 1);
  const auto x = device_input<TypeParam>(problem);
  const auto y = device_output<TypeParam>(shape);
  for (const Algorithm algorithm : available_algorithms<TypeParam>(shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const Layer<TypeParam> layer = make_layer(exec, problem, {.algorithm = algorithm});
    const Recording recording;
    layer(exec, x, y);
    expect_kernels_in_regions_alone(algorithm);
  }
}

TYPED_TEST(KokkosToolsTest, ARunOfSixteenBitsIsLabelledAndNeitherAllocatesNorFencesNorCopies) {
  using Half = Kokkos::View<Float16****, Kokkos::LayoutRight, typename TypeParam::memory_space>;
  const TypeParam exec;
  const Problem problem = random_problem(shape, 1);
  const Half x("x", shape.batch, shape.in_channels, shape.height, shape.width);
  const Half y("y", shape.batch, shape.out_channels, shape.output_height(), shape.output_width());
  for (const Algorithm algorithm : available_algorithms<TypeParam>(shape)) {
    SCOPED_TRACE(to_string(algorithm));
    const Layer<TypeParam> layer = make_layer(exec, problem,
                                              {.algorithm = algorithm,
                                               .input_type = ElementType::float16,
                                               .output_type = ElementType::float16});
    const Recording recording;
    layer(exec, x, y);
    expect_kernels_in_regions_alone(algorithm);
  }
}

TYPED_TEST(KokkosToolsTest, RowBlocksAreLabelledAndNeitherAllocateNorFenceNorCopy) {
  const TypeParam exec;
  const Problem problem = random_problem(shape.with_batch(1), 1);
  for (const Algorithm algorithm : available_algorithms<TypeParam>(shape)) {
    if (algorithm == Algorithm::gemm) continue;
    SCOPED_TRACE(to_string(algorithm));
    const Layer<TypeParam> layer = make_layer(exec, problem, {.algorithm = algorithm});
    const RowRange rows{0, layer.plan().row_alignment};
    const Tensor<TypeParam> x("x", 1, 4, input_rows(problem.shape, rows).count, 70);
    const Tensor<TypeParam> y("y", 1, 8, rows.count, 68);
    const Kokkos::View<std::uint64_t*, Kokkos::LayoutRight, typename TypeParam::memory_space>
        statistics("statistics", layer.plan().row_statistics_words);
    {
      const Recording recording;
      layer.activate_rows(exec, rows, x, y, statistics);
      expect_kernels_in_regions_alone(algorithm);
    }
    const Recording recording;
    layer.normalize_rows(exec, rows, x, y, statistics);
    expect_kernels_in_regions_alone(algorithm);
  }
}

}  // namespace
}  // namespace fusedconv::test
