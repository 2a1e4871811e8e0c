// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fusedconv/layer.hpp>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "algorithms.hpp"
#include "execution_space_types.hpp"
#include "reference.hpp"
#include "run_layer.hpp"
#include "same_bits.hpp"
#include "shapes.hpp"

namespace fusedconv::test {
namespace {

template <class ExecutionSpace>
class RowBlocksTest : public testing::Test {};

TYPED_TEST_SUITE(RowBlocksTest, ExecutionSpaceTypes, ExecutionSpaceNames);

using Words = std::vector<std::uint64_t>;
using Blocks = std::vector<RowRange>;

/// Some rows of planes of floats in host memory.
std::vector<float> cut_rows(const std::vector<float>& planes, std::int64_t height,
                            std::int64_t width, const RowRange& rows) {
  const auto plane = static_cast<std::size_t>(height * width);
  std::vector<float> cut;
  for (std::size_t begin = 0; begin < planes.size(); begin += plane) {
    const auto first = planes.begin() + static_cast<std::ptrdiff_t>(begin) + rows.first * width;
    cut.insert(cut.end(), first, first + rows.count * width);
  }
  return cut;
}

/// The inverse: puts rows where they belong.
void paste_rows(const std::vector<float>& cut, std::vector<float>& planes, std::int64_t height,
                std::int64_t width, const RowRange& rows) {
  auto from = cut.begin();
  for (auto to = planes.begin(); to != planes.end(); to += height * width) {
    std::copy(from, from + rows.count * width, to + rows.first * width);
    from += rows.count * width;
  }
}

/// A tensor in device memory between floats that are NaN, so that what reads or writes beside it is
/// seen; with none of them the allocation ends where the tensor does, which AddressSanitizer sees.
template <class ExecutionSpace>
class Guarded {
 public:
  using View = Kokkos::View<float****, Kokkos::LayoutRight,
                            Kokkos::Device<ExecutionSpace, typename ExecutionSpace::memory_space>,
                            Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  Guarded(const std::vector<float>& values, std::int64_t channels, std::int64_t rows,
          std::int64_t width, std::size_t guard)
      : host_(values.size() + 2 * guard, std::numeric_limits<float>::quiet_NaN()), guard_(guard) {
    std::copy(values.begin(), values.end(), host_.begin() + static_cast<std::ptrdiff_t>(guard));
    device_ = to_device<typename ExecutionSpace::memory_space>("guarded", host_);
    view_ = View(device_.data() + guard, 1, channels, rows, width);
  }

  const View& view() const { return view_; }

  /// The values now; fails if there is something new beside them.
  std::vector<float> values() const {
    const std::vector<float> now = to_host(device_);
    const auto begin = static_cast<std::ptrdiff_t>(guard_);
    const auto end = static_cast<std::ptrdiff_t>(now.size() - guard_);
    std::vector<float> guards(now.begin(), now.begin() + begin);
    guards.insert(guards.end(), now.begin() + end, now.end());
    EXPECT_TRUE(
        same_bits(guards, std::vector<float>(2 * guard_, std::numeric_limits<float>::quiet_NaN())))
        << "something was written beside a tensor";
    return std::vector<float>(now.begin() + begin, now.begin() + end);
  }

 private:
  std::vector<float> host_;
  std::size_t guard_;
  Kokkos::View<float*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space> device_;
  View view_;
};

/// Statistics in device memory.
template <class ExecutionSpace>
class DeviceWords {
 public:
  explicit DeviceWords(const Words& words) : view_("words", words.size()) {
    const auto host = Kokkos::create_mirror_view(view_);
    std::copy(words.begin(), words.end(), host.data());
    Kokkos::deep_copy(view_, host);
  }
  explicit DeviceWords(std::int64_t words)
      : DeviceWords(Words(static_cast<std::size_t>(words), 0)) {}

  const auto& view() const { return view_; }

  Words values() const {
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, view_);
    return Words(host.data(), host.data() + host.size());
  }

 private:
  Kokkos::View<std::uint64_t*, Kokkos::LayoutRight, typename ExecutionSpace::memory_space> view_;
};

/// As MPI_SUM of MPI_UINT64_T does it.
void add(Words& sum, const Words& words) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += words[i];
}

/// The only image of a problem and what becomes of a block of its rows.
template <class ExecutionSpace>
struct Block {
  Block(const Problem& problem, const RowRange& output_rows, std::size_t guard)
      : rows(output_rows),
        x(cut_rows(problem.input, problem.shape.height, problem.shape.width,
                   input_rows(problem.shape, rows)),
          problem.shape.in_channels, input_rows(problem.shape, rows).count, problem.shape.width,
          guard),
        y(std::vector<float>(static_cast<std::size_t>(problem.shape.out_channels * rows.count *
                                                      problem.shape.output_width()),
                             std::numeric_limits<float>::quiet_NaN()),
          problem.shape.out_channels, rows.count, problem.shape.output_width(), guard) {}

  RowRange rows;
  Guarded<ExecutionSpace> x;
  Guarded<ExecutionSpace> y;
};

std::size_t guard_of(std::size_t number) { return number % 2 == 0 ? 64 : 0; }

enum class Sweeps { one, two };

/// The output of an image, its blocks computed in the order given and dealt out to ranks that have
/// statistics of their own.
template <class ExecutionSpace>
std::vector<float> run_in_blocks(const ExecutionSpace& exec, const Layer<ExecutionSpace>& layer,
                                 const Problem& problem, const Blocks& blocks, std::size_t ranks,
                                 Sweeps sweeps) {
  const Shape& shape = problem.shape;
  const std::int64_t words = layer.plan().row_statistics_words;
  std::vector<DeviceWords<ExecutionSpace>> statistics;
  for (std::size_t rank = 0; rank < ranks; ++rank) statistics.emplace_back(words);
  std::vector<Block<ExecutionSpace>> kept;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Block<ExecutionSpace> block(problem, blocks[i], guard_of(i));
    layer.activate_rows(exec, block.rows, block.x.view(), block.y.view(),
                        statistics[i % ranks].view());
    exec.fence("fusedconv::test: end of a block");
    if (sweeps == Sweeps::one) kept.push_back(std::move(block));
  }
  Words sum(static_cast<std::size_t>(words), 0);
  for (const DeviceWords<ExecutionSpace>& of_rank : statistics) add(sum, of_rank.values());
  const DeviceWords<ExecutionSpace> complete(sum);

  std::vector<float> output(static_cast<std::size_t>(shape.output_size()));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (sweeps == Sweeps::two) {
      kept.clear();
      kept.emplace_back(problem, blocks[i], guard_of(i + 1));
      layer.activate_rows(exec, blocks[i], kept[0].x.view(), kept[0].y.view(), {});
    }
    const Block<ExecutionSpace>& block = kept[sweeps == Sweeps::one ? i : 0];
    const std::vector<float> x_before = block.x.values();
    layer.normalize_rows(exec, block.rows, block.x.view(), block.y.view(), complete.view());
    exec.fence("fusedconv::test: end of a block");
    EXPECT_TRUE(same_bits(block.x.values(), x_before)) << "the input was changed";
    paste_rows(block.y.values(), output, shape.output_height(), shape.output_width(), block.rows);
  }
  EXPECT_EQ(complete.values(), sum) << "statistics were changed";
  return output;
}

/// All rows in order, in blocks of as many.
Blocks even_blocks(std::int64_t height, std::int64_t rows) {
  Blocks blocks;
  for (std::int64_t first = 0; first < height; first += rows) {
    blocks.push_back({first, std::min(rows, height - first)});
  }
  return blocks;
}

/// The smallest multiple of the alignment with which there are few blocks.
std::int64_t rows_of_few_blocks(std::int64_t height, std::int64_t alignment) {
  return (height / (10 * alignment) + 1) * alignment;
}

/// All rows in a few blocks of random sizes, in random order.
Blocks random_blocks(std::int64_t height, std::int64_t alignment, std::mt19937& random) {
  Blocks blocks;
  const Blocks tiles = even_blocks(height, alignment);
  for (const RowRange& tile : tiles) {
    if (blocks.empty() || random() % std::max<std::size_t>(3, tiles.size() / 6) == 0) {
      blocks.push_back(tile);
    } else {
      blocks.back().count += tile.count;
    }
  }
  std::shuffle(blocks.begin(), blocks.end(), random);
  return blocks;
}

template <class ExecutionSpace>
void expect_bits_of_the_whole(const Problem& problem, const Options& options,
                              std::mt19937& random) {
  const ExecutionSpace exec;
  const Layer<ExecutionSpace> layer = make_layer(exec, problem, options);
  const std::vector<float> whole = run_layer(exec, layer, problem);
  const std::int64_t height = problem.shape.output_height();
  const std::int64_t alignment = layer.plan().row_alignment;
  ASSERT_GE(alignment, 1);
  ASSERT_LE(alignment, height);
  const auto run = [&](const Blocks& blocks, std::size_t ranks, Sweeps sweeps) {
    return run_in_blocks(exec, layer, problem, blocks, ranks, sweeps);
  };
  EXPECT_TRUE(same_bits(run(even_blocks(height, height), 1, Sweeps::one), whole)) << "one block";
  const Blocks few = even_blocks(height, rows_of_few_blocks(height, alignment));
  EXPECT_TRUE(same_bits(run(few, 3, Sweeps::one), whole)) << few.size() << " blocks of tiles";
  for (const Sweeps sweeps : {Sweeps::one, Sweeps::two}) {
    const Blocks blocks = random_blocks(height, alignment, random);
    const std::size_t ranks = random() % 5 + 1;
    EXPECT_TRUE(same_bits(run(blocks, ranks, sweeps), whole))
        << blocks.size() << " blocks, " << ranks << " ranks";
  }
}

/// The algorithms that compute blocks of rows.
template <class ExecutionSpace>
std::vector<Options> options_for_blocks(const Shape& shape) {
  std::vector<Options> all;
  for (const Algorithm algorithm : available_algorithms<ExecutionSpace>(shape)) {
    if (algorithm == Algorithm::gemm) continue;
    all.push_back({.algorithm = algorithm});
    if (algorithm == Algorithm::tensor_core) {
      all.push_back({.algorithm = algorithm, .precision = Precision::tf32});
    }
  }
  return all;
}

/// The same shape, so high that there are a few tiles below each other; or as high as the algorithm
/// takes it, for tiles of a higher image may be higher too.
template <class ExecutionSpace>
Shape make_high(Shape shape, const Options& options) {
  shape.batch = 1;
  for (int times = 0; times < 8; ++times) {
    const std::int64_t alignment = Layer<ExecutionSpace>::plan(shape, options).row_alignment;
    if (shape.output_height() > 3 * alignment) break;
    Shape higher = shape;
    higher.height = 2 * shape.height + 1;
    if (!can_be_planned<ExecutionSpace>(higher, options.algorithm)) break;
    shape = higher;
  }
  return shape;
}

template <class ExecutionSpace>
void expect_bits_of_the_whole(const Shape& shape, std::mt19937& random) {
  for (const Options& options : options_for_blocks<ExecutionSpace>(shape)) {
    SCOPED_TRACE(to_string(options.algorithm));
    SCOPED_TRACE(to_string(options.precision));
    const Shape high = make_high<ExecutionSpace>(shape, options);
    expect_bits_of_the_whole<ExecutionSpace>(random_problem(high, random()), options, random);
    if (high == shape.with_batch(1)) continue;
    expect_bits_of_the_whole<ExecutionSpace>(random_problem(shape.with_batch(1), random()), options,
                                             random);
  }
}

TYPED_TEST(RowBlocksTest, GiveTheBitsOfTheWholeImage) {
  std::mt19937 random(1);
  for (const auto& [name, shape] : shape_grid) {
    SCOPED_TRACE(name);
    expect_bits_of_the_whole<TypeParam>(shape, random);
  }
}

// Shapes that plans treat in ways of their own.
const std::vector<NamedShape> shapes_of_blocks{
    {"several tiles across",
     {.in_channels = 3,
      .height = 45,
      .width = 1003,
      .out_channels = 8,
      .kernel_size = {3, 3},
      .padding = {1, 1},
      .num_groups = 2}},
    {"rows for words of 16 bytes",
     {.in_channels = 5,
      .height = 70,
      .width = 128,
      .out_channels = 32,
      .kernel_size = {3, 3},
      .num_groups = 8}},
    {"many input channels",
     {.in_channels = 96,
      .height = 40,
      .width = 30,
      .out_channels = 40,
      .kernel_size = {3, 3},
      .padding = {1, 1},
      .num_groups = 4}},
    {"input rows that nobody needs",
     {.in_channels = 3,
      .height = 60,
      .width = 40,
      .out_channels = 8,
      .kernel_size = {2, 2},
      .stride = {5, 3},
      .num_groups = 2}},
    {"stride beyond the kernel, dilation",
     {.in_channels = 3,
      .height = 70,
      .width = 40,
      .out_channels = 8,
      .kernel_size = {2, 3},
      .stride = {7, 2},
      .dilation = {3, 2},
      .num_groups = 2}},
    {"blocks of padding alone",
     {.in_channels = 3,
      .height = 20,
      .width = 20,
      .out_channels = 8,
      .kernel_size = {3, 3},
      .padding = {75, 2},
      .num_groups = 2}},
    {"kernel of 5",
     {.in_channels = 4,
      .height = 50,
      .width = 33,
      .out_channels = 8,
      .kernel_size = {5, 5},
      .padding = {2, 2},
      .num_groups = 4}},
    {"kernel of 7, stride 2",
     {.in_channels = 3,
      .height = 75,
      .width = 61,
      .out_channels = 16,
      .kernel_size = {7, 7},
      .stride = {2, 2},
      .padding = {3, 3},
      .num_groups = 4}},
    {"pointwise, short rows",
     {.in_channels = 5, .height = 61, .width = 47, .out_channels = 12, .num_groups = 3}},
    {"pointwise, rows for words of 16 bytes",
     {.in_channels = 16, .height = 40, .width = 64, .out_channels = 32, .num_groups = 8}},
    {"pointwise, long rows",
     {.in_channels = 5, .height = 30, .width = 1001, .out_channels = 12, .num_groups = 3}},
    {"pointwise, many channels",
     {.in_channels = 300, .height = 30, .width = 250, .out_channels = 70, .num_groups = 7}},
    {"pointwise, rows of 2", {.in_channels = 4, .height = 2100, .width = 2, .out_channels = 4}},
    {"pointwise, stride 2",
     {.in_channels = 8,
      .height = 61,
      .width = 47,
      .out_channels = 12,
      .stride = {2, 2},
      .num_groups = 3}},
};

TYPED_TEST(RowBlocksTest, GiveTheBitsOfTheWholeImageForShapesThatPlansTreatApart) {
  std::mt19937 random(2);
  for (const auto& [name, shape] : shapes_of_blocks) {
    SCOPED_TRACE(name);
    expect_bits_of_the_whole<TypeParam>(shape, random);
  }
}

TYPED_TEST(RowBlocksTest, GiveTheBitsOfTheWholeOfLargeImages) {
  std::mt19937 random(5);
  // Of outputs' rows that begin anywhere in a sector of memory, and of channel groups.
  for (const std::size_t i : {2, 3}) {
    SCOPED_TRACE(large_images[i].name);
    const Problem problem = random_problem(large_images[i].shape, 1);
    for (const Options& options : options_for_blocks<TypeParam>(problem.shape)) {
      SCOPED_TRACE(to_string(options.algorithm));
      SCOPED_TRACE(to_string(options.precision));
      expect_bits_of_the_whole<TypeParam>(problem, options, random);
    }
  }
}

/// A shape with some tiles below each other on every backend.
const Shape shape{.in_channels = 4,
                  .height = 270,
                  .width = 22,
                  .out_channels = 8,
                  .kernel_size = {3, 3},
                  .padding = {1, 1},
                  .groups = 2,
                  .num_groups = 4};

TYPED_TEST(RowBlocksTest, GiveTheBitsOfTheWholeImageForValuesThatAreNotUsual) {
  std::mt19937 random(3);
  const Problem usual = random_problem(shape, 1);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const std::size_t plane = static_cast<std::size_t>(shape.height * shape.width);
  std::vector<Problem> problems(6, usual);
  problems[0].input[plane / 2] = nan;  // in one of the channel groups
  problems[1].input[100] = infinity;
  problems[1].input[plane + 101] = -infinity;
  for (std::size_t i = 0; i < usual.input.size(); i += 50) problems[2].input[i] = nan;
  problems[3].input[plane - 1] = 0x1p126F;
  std::fill(problems[4].input.begin(), problems[4].input.end(), 0.3F);
  for (float& value : problems[5].input) value *= 0x1p-60F;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    SCOPED_TRACE(i);
    for (const Options& options : options_for_blocks<TypeParam>(shape)) {
      SCOPED_TRACE(to_string(options.algorithm));
      expect_bits_of_the_whole<TypeParam>(problems[i], options, random);
    }
  }
}

TYPED_TEST(RowBlocksTest, GiveTheBitsOfTheWholeImageForEveryActivation) {
  std::mt19937 random(4);
  for (const Activation activation : all_activations) {
    SCOPED_TRACE(to_string(activation));
    Shape activated = shape;
    activated.activation = activation;
    expect_bits_of_the_whole<TypeParam>(activated, random);
  }
}

// What lies between the two steps is in y_rows and the statistics, not in the layer.
TYPED_TEST(RowBlocksTest, OfDifferentImagesMayBeMixed) {
  const TypeParam exec;
  const Problem first = random_problem(shape, 1);
  Problem second = first;
  second.input = random_problem(shape, 2).input;
  for (const Options& options : options_for_blocks<TypeParam>(shape)) {
    SCOPED_TRACE(to_string(options.algorithm));
    const Layer<TypeParam> layer = make_layer(exec, first, options);
    const RowRange all{0, shape.output_height()};
    const Block<TypeParam> block_1(first, all, 0);
    const Block<TypeParam> block_2(second, all, 0);
    const DeviceWords<TypeParam> words_1(layer.plan().row_statistics_words);
    const DeviceWords<TypeParam> words_2(layer.plan().row_statistics_words);
    layer.activate_rows(exec, all, block_1.x.view(), block_1.y.view(), words_1.view());
    layer.activate_rows(exec, all, block_2.x.view(), block_2.y.view(), words_2.view());
    const std::vector<float> whole_1 = run_layer(exec, layer, first);
    layer.normalize_rows(exec, all, block_1.x.view(), block_1.y.view(), words_1.view());
    layer.normalize_rows(exec, all, block_2.x.view(), block_2.y.view(), words_2.view());
    exec.fence("fusedconv::test: end of blocks");
    EXPECT_TRUE(same_bits(block_1.y.values(), whole_1));
    EXPECT_TRUE(same_bits(block_2.y.values(), run_layer(exec, layer, second)));
  }
}

// A layer for many images computes blocks of one as a layer for one does.
TYPED_TEST(RowBlocksTest, AreThoseOfALayerForManyImages) {
  std::mt19937 random(4);
  const TypeParam exec;
  const Problem problem = random_problem(shape, 1);
  Problem batch = problem;
  batch.shape.batch = 3;
  for (const Options& options : options_for_blocks<TypeParam>(shape)) {
    SCOPED_TRACE(to_string(options.algorithm));
    const Layer<TypeParam> layer = make_layer(exec, batch, options);
    const Blocks blocks = random_blocks(shape.output_height(), layer.plan().row_alignment, random);
    EXPECT_TRUE(same_bits(run_in_blocks(exec, layer, problem, blocks, 2, Sweeps::one),
                          run_layer(exec, problem, options)));
  }
}

/// The object that a call's InvalidArgument names, or "nothing thrown".
template <class Function>
std::string refused_object(Function function) {
  try {
    function();
  } catch (const InvalidArgument& error) {
    return error.object();
  }
  return "nothing thrown";
}

TYPED_TEST(RowBlocksTest, WrongArgumentsAreRefused) {
  using View = Tensor<TypeParam>;
  using WordsView =
      Kokkos::View<std::uint64_t*, Kokkos::LayoutRight, typename TypeParam::memory_space>;
  const TypeParam exec;
  for (const Options& options : options_for_blocks<TypeParam>(shape)) {
    SCOPED_TRACE(to_string(options.algorithm));
    const Layer<TypeParam> layer = make_layer(exec, random_problem(shape, 1), options);
    const std::int64_t alignment = layer.plan().row_alignment;
    const std::int64_t height = shape.output_height();
    ASSERT_GT(alignment, 1);
    ASSERT_LT(2 * alignment, height);
    const std::int64_t word_count = layer.plan().row_statistics_words;
    const WordsView words("words", word_count);
    const auto x_of = [&](std::int64_t rows) { return View("x", 1, 4, rows, 22); };
    const auto y_of = [&](std::int64_t rows) { return View("y", 1, 8, rows, 22); };
    const auto refused = [&](const RowRange& rows, const View& x, const View& y,
                             const WordsView& statistics) {
      const std::string by_first =
          refused_object([&] { layer.activate_rows(exec, rows, x, y, statistics); });
      EXPECT_EQ(refused_object([&] { layer.normalize_rows(exec, rows, x, y, statistics); }),
                by_first);
      return by_first;
    };
    const RowRange block{alignment, alignment};
    const View x = x_of(alignment + 2);
    const View y = y_of(alignment);
    EXPECT_EQ(refused(block, x, y, words), "nothing thrown");

    for (const RowRange& rows :
         {RowRange{alignment, alignment + 1}, RowRange{1, alignment}, RowRange{0, 1},
          RowRange{-alignment, alignment}, RowRange{alignment, 0}, RowRange{alignment, -alignment},
          RowRange{0, height + 1}, RowRange{0, std::numeric_limits<std::int64_t>::max()},
          RowRange{height, alignment}}) {
      SCOPED_TRACE(std::to_string(rows.count) + " rows from " + std::to_string(rows.first));
      EXPECT_EQ(refused(rows, x, y, words), "rows");
    }
    EXPECT_EQ(refused(block, x_of(alignment + 1), y, words), "x_rows");
    EXPECT_EQ(refused(block, View("x", 1, 5, alignment + 2, 22), y, words), "x_rows");
    EXPECT_EQ(refused(block, View("x", 2, 4, alignment + 2, 22), y, words), "x_rows");
    EXPECT_EQ(refused(block, View(), y, words), "x_rows");
    EXPECT_EQ(refused(block, x, y_of(alignment + 1), words), "y_rows");
    EXPECT_EQ(refused(block, x, View("y", 1, 8, alignment, 21), words), "y_rows");
    EXPECT_EQ(refused(block, x, y, WordsView("words", word_count - 1)), "statistics");
    EXPECT_EQ(refused(block, x, y, WordsView("words", word_count + 1)), "statistics");
    EXPECT_EQ(refused_object([&] { layer.activate_rows(exec, block, x, y, {}); }),
              "nothing thrown");
    EXPECT_EQ(refused_object([&] { layer.normalize_rows(exec, block, x, y, {}); }), "statistics");
    exec.fence("fusedconv::test: end of blocks");
  }
}

TYPED_TEST(RowBlocksTest, AreRefusedByAlgorithmsThatDoNotComputeThem) {
  if (!is_available(Algorithm::gemm)) {
    EXPECT_GT(Layer<TypeParam>::plan(shape).row_alignment, 0);
    return;
  }
  const TypeParam exec;
  const Layer<TypeParam> layer =
      make_layer(exec, random_problem(shape, 1), {.algorithm = Algorithm::gemm});
  EXPECT_EQ(layer.plan().row_alignment, 0);
  EXPECT_EQ(layer.plan().row_statistics_words, 0);
  const Tensor<TypeParam> x("x", 1, 4, 270, 22);
  const Tensor<TypeParam> y("y", 1, 8, 270, 22);
  EXPECT_EQ(refused_object([&] { layer.activate_rows(exec, {0, 270}, x, y, {}); }), "algorithm");
  EXPECT_EQ(refused_object([&] { layer.normalize_rows(exec, {0, 270}, x, y, {}); }), "algorithm");
}

/// The input rows from the first to the last that a block's windows lie on, counted one by one.
RowRange counted_input_rows(const Shape& s, const RowRange& rows) {
  std::vector<std::int64_t> met;
  for (std::int64_t i = rows.first; i < rows.end(); ++i) {
    const std::int64_t top = i * s.stride[0] - s.padding[0];
    for (std::int64_t r = 0; r <= (s.kernel_size[0] - 1) * s.dilation[0]; ++r) {
      if (top + r >= 0 && top + r < s.height) met.push_back(top + r);
    }
  }
  if (met.empty()) return {};
  const auto [first, last] = std::minmax_element(met.begin(), met.end());
  return {*first, *last - *first + 1};
}

TEST(InputRows, AreThoseThatWindowsLieOn) {
  std::vector<NamedShape> shapes = shape_grid;
  shapes.insert(shapes.end(), shapes_of_blocks.begin(), shapes_of_blocks.end());
  for (const auto& [name, s] : shapes) {
    SCOPED_TRACE(name);
    const std::int64_t height = std::min<std::int64_t>(s.output_height(), 40);
    for (std::int64_t first = 0; first < height; ++first) {
      for (std::int64_t count = 1; count <= height - first; count += 1 + count / 4) {
        const RowRange rows = input_rows(s, {first, count});
        const RowRange expected = counted_input_rows(s, {first, count});
        EXPECT_EQ(rows.count, expected.count) << count << " rows from " << first;
        if (expected.count > 0) {
          EXPECT_EQ(rows.first, expected.first) << count << " rows from " << first;
        }
        EXPECT_GE(rows.first, 0);
        EXPECT_LE(rows.end(), s.height);
      }
    }
  }
}

TEST(InputRows, OfRowsThatThereAreNotAreRefused) {
  const Shape s{.height = 10, .width = 3, .kernel_size = {3, 3}};
  EXPECT_EQ(input_rows(s, {0, 8}), (RowRange{0, 10}));
  for (const RowRange& rows : {RowRange{-1, 2}, RowRange{0, 0}, RowRange{0, 9}, RowRange{8, 1},
                               RowRange{3, -1}, RowRange{7, 2}}) {
    EXPECT_EQ(refused_object([&] { input_rows(s, rows); }), "rows");
  }
}

}  // namespace
}  // namespace fusedconv::test
