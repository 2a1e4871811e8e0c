// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_RECORD_HPP
#define FUSEDCONV_APP_RECORD_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hdf5/images.hpp"

/// The record of what is complete in an unfinished output: a file beside it, so that the output
/// itself needs no change of its metadata, which a process that is killed could leave half made.
///
/// A line of JSON tells what the output is computed from. Entries of one size follow. A rank has
/// every ranks-th slot to itself, which needs neither locks nor appending, and what a slot has is
/// an entry where its checksum is right: a torn one counts for nothing.
namespace fusedconv::app {

/// What the bits of an output depend on, in words: (what, which).
using Fingerprint = std::vector<std::pair<std::string, std::string>>;

struct Difference {
  std::string what;
  std::string expected;
  std::string found;

  friend bool operator==(const Difference&, const Difference&) = default;
};

/// The first difference, if there is one.
/// \param expected of this run
/// \param found    of an earlier one
std::optional<Difference> difference(const Fingerprint& expected, const Fingerprint& found);

/// 64 bits of a Fowler-Noll-Vo hash (FNV-1a), as by http://www.isthe.com/chongo/tech/comp/fnv
class Hash {
 public:
  void add(const void* bytes, std::size_t count);
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

/// 16 hexadecimal digits
std::string hash_text(const Hash& hash);
std::string hash_text(const Fingerprint& fingerprint);

/// NAME.part.record
std::string record_name(const std::string& unfinished_name);

struct Record {
  Fingerprint fingerprint;
  std::int64_t data_address = 0;  ///< byte at which the dataset begins in the unfinished file
  std::vector<hdf5::Region> complete;
  std::int64_t end = 0;  ///< byte at which the next entries begin
};

/// Makes a record without entries, on disk before it has its name.
/// \throws std::system_error naming the file
void create_record(const std::string& path, const Fingerprint& fingerprint,
                   std::int64_t data_address);

/// \throws std::runtime_error naming the file if it cannot be read or is no record
Record read_record(const std::string& path);

/// Adds entries of one rank to a record.
class RecordWriter {
 public:
  /// \param data    the unfinished file
  /// \param end     Record::end, the same on all ranks
  /// \param rank    among the ranks that add entries
  RecordWriter(const std::string& path, const std::string& data, std::int64_t end, int rank,
               int ranks);
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;
  ~RecordWriter();

  /// Waits until what was written of the data is on disk, and enters these rows then.
  /// \throws std::system_error naming the file
  void add(const hdf5::Region& complete);

 private:
  std::string path_;
  std::string data_path_;
  int record_ = -1;
  int data_ = -1;
  std::int64_t next_ = 0;
  std::int64_t step_ = 0;
  std::uint64_t seed_ = 0;
};

/// Waits until a file is on disk.
/// \throws std::system_error naming the file
void flush_to_disk(const std::string& path);

}  // namespace fusedconv::app

#endif
