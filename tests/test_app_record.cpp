// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "file_state.hpp"
#include "record.hpp"
#include "temporary_directory.hpp"

namespace fusedconv::test {
namespace {

namespace fs = std::filesystem;
using app::hdf5::Region;
using Parts = std::vector<Region>;

constexpr std::int64_t entry_bytes = 40;

class AppRecord : public testing::Test {
 protected:
  AppRecord() {
    std::ofstream(data_) << "data";
    app::create_record(path_, fingerprint_, 2048);
  }

  void spoil(std::int64_t at) const {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 1));
  }

  TemporaryDirectory directory_;
  std::string data_ = directory_.file("y.h5.part");
  std::string path_ = app::record_name(data_);
  app::Fingerprint fingerprint_{{"precision", "fp32"}, {"input", "5 bytes"}};
};

TEST_F(AppRecord, HasNoEntriesWhenItIsNew) {
  const app::Record record = app::read_record(path_);
  EXPECT_EQ(record.fingerprint, fingerprint_);
  EXPECT_EQ(record.data_address, 2048);
  EXPECT_EQ(record.complete, Parts{});
  EXPECT_EQ(record.end, static_cast<std::int64_t>(fs::file_size(path_)));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 2);
}

TEST_F(AppRecord, HasTheEntriesOfAllRanksAndOfLaterRuns) {
  {
    const std::int64_t end = app::read_record(path_).end;
    app::RecordWriter first(path_, data_, end, 0, 3);
    app::RecordWriter last(path_, data_, end, 2, 3);
    last.add({7, 1, 0, 4});
    last.add({8, 1, 0, 4});
    first.add({0, 2, 0, 4});
  }
  EXPECT_EQ(app::read_record(path_).complete, (Parts{{0, 2, 0, 4}, {7, 1, 0, 4}, {8, 1, 0, 4}}));
  {
    app::RecordWriter next(path_, data_, app::read_record(path_).end, 0, 1);
    next.add({3, 1, 2, 2});
  }
  EXPECT_EQ(app::read_record(path_).complete,
            (Parts{{0, 2, 0, 4}, {7, 1, 0, 4}, {8, 1, 0, 4}, {3, 1, 2, 2}}));
}

TEST_F(AppRecord, LeavesOutEntriesThatAreTornOrSpoilt) {
  const std::int64_t end = app::read_record(path_).end;
  const Parts entries{{0, 1, 0, 4}, {1, 1, 0, 4}, {2, 1, 0, 4}};
  {
    app::RecordWriter writer(path_, data_, end, 0, 1);
    for (const Region& entry : entries) writer.add(entry);
  }
  for (std::int64_t bytes = 1; bytes < entry_bytes; ++bytes) {
    fs::resize_file(path_, static_cast<std::uintmax_t>(end + 2 * entry_bytes + bytes));
    EXPECT_EQ(app::read_record(path_).complete, Parts(entries.begin(), entries.begin() + 2));
    // The next run's entries begin in a slot of their own.
    EXPECT_EQ(app::read_record(path_).end, end + 3 * entry_bytes);
  }
  for (std::int64_t byte = 0; byte < entry_bytes; ++byte) {
    spoil(end + byte);
    EXPECT_EQ(app::read_record(path_).complete, Parts(entries.begin() + 1, entries.begin() + 2));
    spoil(end + byte);
  }
  EXPECT_EQ(app::read_record(path_).complete.size(), 2U);
}

TEST_F(AppRecord, DoesNotTakeTheEntriesOfAnother) {
  const std::int64_t end = app::read_record(path_).end;
  app::RecordWriter(path_, data_, end, 0, 1).add({0, 1, 0, 4});
  std::ifstream file(path_, std::ios::binary);
  file.seekg(end);
  const std::string entry{std::istreambuf_iterator<char>(file), {}};
  app::create_record(path_, {{"precision", "tf32"}}, 2048);
  std::ofstream(path_, std::ios::binary | std::ios::app) << entry;
  EXPECT_EQ(app::read_record(path_).complete, Parts{});
}

TEST_F(AppRecord, RefusesWhatIsNone) {
  const std::string nested(30'000, '[');
  const std::vector<std::string> texts{
      "", "text", "text\n", "{\"fusedconv record\": 2}\n", "[]\n",
      // Neither may deep nesting end the process, nor a long line take what memory there is.
      "{\"fusedconv record\": " + nested + std::string(nested.size(), ']') + "}\n",
      std::string(1 << 17, ' ') + "{}\n",
      "{\"fusedconv record\": 1, \"data_address\": 1e300, \"fingerprint\": []}\n",
      "{\"fusedconv record\": 1, \"data_address\": 0, \"fingerprint\": [[1]]}\n"};
  for (const std::string& text : texts) {
    std::ofstream(path_, std::ios::trunc) << text;
    try {
      app::read_record(path_);
      FAIL() << "took '" << text << "'";
    } catch (const std::runtime_error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(path_ + ": expected a record of"))
          << error.what();
    }
  }
  fs::remove(path_);
  EXPECT_THROW(app::read_record(path_), std::system_error);
}

TEST_F(AppRecord, CannotBeMadeWhereNothingCanBe) {
  EXPECT_THROW(app::create_record(directory_.file("none/x"), fingerprint_, 0), std::system_error);
  EXPECT_THROW(app::RecordWriter(path_, directory_.file("none"), 0, 0, 1), std::system_error);
}

TEST(Fingerprint, TellsTheFirstDifference) {
  const app::Fingerprint one{{"precision", "fp32"}, {"backend", "serial"}};
  using app::Difference;
  EXPECT_EQ(app::difference(one, one), std::nullopt);
  EXPECT_EQ(app::difference(one, {{"precision", "fp32"}, {"backend", "cuda"}}),
            (Difference{"backend", "serial", "cuda"}));
  EXPECT_EQ(app::difference(one, {{"precision", "fp32"}}),
            (Difference{"backend", "serial", "none"}));
  EXPECT_EQ(app::difference({{"precision", "fp32"}}, one),
            (Difference{"backend", "none", "serial"}));
}

TEST(Fingerprint, HashesAsTheAlgorithmsAuthorsDo) {
  const auto of = [](const std::string& text) {
    app::Hash hash;
    hash.add(text.data(), text.size());
    return app::hash_text(hash);
  };
  EXPECT_EQ(of(""), "cbf29ce484222325");
  EXPECT_EQ(of("a"), "af63dc4c8601ec8c");
  EXPECT_EQ(of("foobar"), "85944171f73967e8");
  EXPECT_NE(app::hash_text(app::Fingerprint{{"ab", "c"}}),
            app::hash_text(app::Fingerprint{{"a", "bc"}}));
}

TEST(FileState, TellsAFileThatShrankGrewOrWasTouched) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("x");
  std::ofstream(path) << "content";
  const fs::file_time_type time = fs::last_write_time(path);
  const app::FileState before = app::file_state(path);
  EXPECT_EQ(before.bytes, 7);
  app::require_unchanged(path, before);
  fs::resize_file(path, 3);
  fs::last_write_time(path, time);
  EXPECT_THROW(app::require_unchanged(path, before), app::FileChanged);
  fs::resize_file(path, 7);
  fs::last_write_time(path, time);
  app::require_unchanged(path, before);
  fs::last_write_time(path, time + std::chrono::nanoseconds(1000));
  EXPECT_THROW(app::require_unchanged(path, before), app::FileChanged);
  fs::remove(path);
  EXPECT_THROW(app::require_unchanged(path, before), std::system_error);
}

}  // namespace
}  // namespace fusedconv::test
