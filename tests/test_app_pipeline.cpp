// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "computation.hpp"
#include "pipeline.hpp"

namespace fusedconv::test {
namespace {

using app::Piece;
using app::ReadPiece;

std::vector<Piece> one_image_each(std::int64_t count) {
  std::vector<Piece> pieces;
  for (std::int64_t image = 0; image < count; ++image) {
    pieces.push_back({.first_image = image, .images = 1, .rows = 1});
  }
  return pieces;
}

/// Two ranks' halves of images: every piece completes the statistics of its image.
std::vector<Piece> halves(std::int64_t images) {
  std::vector<Piece> pieces = one_image_each(images);
  for (Piece& piece : pieces)
    piece.split = piece.begins_statistics = piece.completes_statistics = true;
  return pieces;
}

/// Names of things that have happened, for which a thread can wait.
class Events {
 public:
  void add(const std::string& event) {
    const std::lock_guard lock(mutex_);
    seen_.insert(event);
    changed_.notify_all();
  }
  bool has(const std::string& event) {
    const std::lock_guard lock(mutex_);
    return seen_.contains(event);
  }
  /// \throws std::runtime_error if it has not happened within ten seconds
  void wait_for(const std::string& event) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return seen_.contains(event); })) {
      throw std::runtime_error("in vain: " + event);
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> seen_;
};

/// Piece n is read as 10 n.
struct Store final : app::PieceStore {
  Events events;
  std::vector<std::int64_t> completed_images;
  std::vector<float> written;
  std::set<std::thread::id> threads;
  std::function<void(const Piece&)> on_read = [](const Piece&) {};
  std::function<void(const Piece&)> on_write = [](const Piece&) {};
  std::atomic<bool> stop = false;

  void read(const Piece& piece, float* input) override {
    threads.insert(std::this_thread::get_id());
    events.add("read " + std::to_string(piece.first_image));
    on_read(piece);
    *input = 10.0F * static_cast<float>(piece.first_image);
  }
  void write(const Piece& piece, const float* output) override {
    threads.insert(std::this_thread::get_id());
    events.add("write " + std::to_string(piece.first_image));
    on_write(piece);
    written.push_back(*output);
  }
  void completed(const Piece& piece) override {
    threads.insert(std::this_thread::get_id());
    completed_images.push_back(piece.first_image);
  }
  bool stop_requested() const override { return stop; }
};

/// Adds 1 to what it reads.
struct AddOne final : app::Computation {
  std::vector<float> inputs = std::vector<float>(2);
  std::vector<float> outputs = std::vector<float>(2);
  std::thread::id thread;
  std::uint64_t statistics = 0;
  std::function<void(const Piece&)> on_piece = [](const Piece&) {};

  float* input(int buffer) override { return &inputs[buffer]; }
  const float* output(int buffer) override { return &outputs[buffer]; }
  app::ComputeSeconds run(app::PieceQueue& pieces, std::int64_t) override {
    thread = std::this_thread::get_id();
    while (const std::optional<ReadPiece> next = pieces.next()) {
      const int output = pieces.acquire_output();
      on_piece(next->piece);
      outputs[output] = inputs[next->buffer] + 1;
      pieces.release_input(next->buffer);
      if (next->piece.completes_statistics) {
        statistics = 1;
        pieces.sum_statistics(&statistics, 1);
      }
      pieces.write(next->piece, output);
    }
    return {};
  }
};

/// What another rank adds to each sum.
struct OtherRank final : app::StatisticsSum {
  int sums = 0;
  int stops_at = -1;  ///< number of the sum to which it comes to say that it stops
  void sum(std::uint64_t* values, std::int64_t count) override {
    EXPECT_EQ(count, 2);
    values[0] += 5;
    if (sums++ == stops_at) ++values[1];
    told_to_stop = values[1] > 0;
  }
  bool told_to_stop = false;
};

TEST(Pipeline, ComputesAndWritesEveryPieceInOrder) {
  Store store;
  AddOne computation;
  app::Pipeline pipeline(store, one_image_each(50), 2);
  pipeline.run(computation, 1);
  ASSERT_EQ(store.written.size(), 50);
  for (std::size_t image = 0; image < 50; ++image) {
    EXPECT_EQ(store.written[image], 10.0F * static_cast<float>(image) + 1);
    EXPECT_EQ(store.completed_images[image], static_cast<std::int64_t>(image));
  }
  EXPECT_EQ(pipeline.undone(), 0);
}

TEST(Pipeline, WorksWithOneBufferAndWithoutPieces) {
  for (const std::int64_t count : {0, 1, 5}) {
    Store store;
    AddOne computation;
    app::Pipeline pipeline(store, one_image_each(count), 1);
    pipeline.run(computation, 1);
    EXPECT_EQ(static_cast<std::int64_t>(store.written.size()), count);
  }
}

TEST(Pipeline, LeavesFilesToOneThreadAndComputesInTheCallers) {
  Store store;
  AddOne computation;
  app::Pipeline pipeline(store, one_image_each(9), 2);
  pipeline.run(computation, 1);
  EXPECT_EQ(store.threads.size(), 1);
  EXPECT_FALSE(store.threads.contains(std::this_thread::get_id()));
  EXPECT_EQ(computation.thread, std::this_thread::get_id());
}

TEST(Pipeline, ReadsTheNextPieceAndWritesTheLastOneWhileItComputes) {
  Store store;
  AddOne computation;
  computation.on_piece = [&](const Piece& piece) {
    if (piece.first_image + 1 < 6) {
      store.events.wait_for("read " + std::to_string(piece.first_image + 1));
    }
    if (piece.first_image > 0) {
      store.events.wait_for("write " + std::to_string(piece.first_image - 1));
    }
  };
  app::Pipeline pipeline(store, one_image_each(6), 2);
  EXPECT_NO_THROW(pipeline.run(computation, 1));
}

TEST(Pipeline, ReadsNoFurtherThanItHasBuffers) {
  Store store;
  AddOne computation;
  computation.on_piece = [&](const Piece& piece) {
    EXPECT_FALSE(store.events.has("read " + std::to_string(piece.first_image + 2)));
  };
  app::Pipeline pipeline(store, one_image_each(20), 2);
  pipeline.run(computation, 1);
}

std::string failure_of(app::Pipeline& pipeline, AddOne& computation) {
  try {
    pipeline.run(computation, 1);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(Pipeline, EndsWithWhatReadingOrWritingThrows) {
  const auto fail_at_3 = [](const Piece& piece) {
    if (piece.first_image == 3) throw std::runtime_error("the disk is gone");
  };
  for (const bool reading : {true, false}) {
    Store store;
    (reading ? store.on_read : store.on_write) = fail_at_3;
    AddOne computation;
    app::Pipeline pipeline(store, one_image_each(1000), 2);
    EXPECT_EQ(failure_of(pipeline, computation), "the disk is gone");
    EXPECT_LE(store.written.size(), 3);
    EXPECT_GE(pipeline.undone(), 997);
  }
}

TEST(Pipeline, EndsWithWhatTheComputationThrows) {
  Store store;
  AddOne computation;
  computation.on_piece = [](const Piece& piece) {
    if (piece.first_image == 2) throw std::runtime_error("the device is gone");
  };
  app::Pipeline pipeline(store, one_image_each(1000), 2);
  EXPECT_EQ(failure_of(pipeline, computation), "the device is gone");
  EXPECT_LE(store.written.size(), 2);
}

TEST(Pipeline, FinishesWhatIsBegunWhenItIsToStop) {
  Store store;
  AddOne computation;
  computation.on_piece = [&](const Piece& piece) {
    if (piece.first_image == 4) store.stop = true;
  };
  app::Pipeline pipeline(store, one_image_each(100), 2);
  pipeline.run(computation, 1);
  EXPECT_EQ(store.completed_images, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(store.written, (std::vector<float>{1, 11, 21, 31, 41}));
  EXPECT_EQ(pipeline.undone(), 95);
}

TEST(Pipeline, SumsStatisticsForEachImageAndOnceMoreAtTheEnd) {
  Store store;
  AddOne computation;
  OtherRank other;
  app::Pipeline pipeline(store, halves(3), 2, &other, 1);
  pipeline.run(computation, 1);
  EXPECT_EQ(computation.statistics, 6);
  EXPECT_EQ(other.sums, 4);
  EXPECT_FALSE(other.told_to_stop);
  EXPECT_EQ(store.written.size(), 3);
}

TEST(Pipeline, StopsWithTheRankThatStops) {
  Store store;
  AddOne computation;
  OtherRank other;
  other.stops_at = 2;
  app::Pipeline pipeline(store, halves(8), 2, &other, 1);
  pipeline.run(computation, 1);
  EXPECT_EQ(other.sums, 3);
  EXPECT_EQ(store.completed_images, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(pipeline.undone(), 6);
}

TEST(Pipeline, TellsOtherRanksThatItStopsInTheirNextSum) {
  Store store;
  AddOne computation;
  OtherRank other;
  computation.on_piece = [&](const Piece& piece) {
    if (piece.first_image == 2) store.stop = true;
  };
  app::Pipeline pipeline(store, halves(8), 2, &other, 1);
  pipeline.run(computation, 1);
  EXPECT_TRUE(other.told_to_stop);
  EXPECT_EQ(other.sums, 3);
  EXPECT_EQ(store.completed_images, (std::vector<std::int64_t>{0, 1}));
}

TEST(Pipeline, EndsWithAFailureOfTheSum) {
  struct Broken final : app::StatisticsSum {
    void sum(std::uint64_t*, std::int64_t) override { throw std::runtime_error("no more ranks"); }
  } broken;
  Store store;
  AddOne computation;
  app::Pipeline pipeline(store, halves(3), 2, &broken, 1);
  EXPECT_EQ(failure_of(pipeline, computation), "no more ranks");
}

}  // namespace
}  // namespace fusedconv::test
