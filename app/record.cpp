// SPDX-License-Identifier: Apache-2.0
#include "record.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

namespace fusedconv::app {

namespace {

using nlohmann::json;

constexpr const char* format_key = "fusedconv record";
constexpr int format = 1;
/// More than any that is written.
constexpr std::size_t longest_heading = std::size_t{1} << 16;

struct Entry {
  hdf5::Region rows;
  std::uint64_t checksum = 0;
};
static_assert(sizeof(Entry) == 5 * sizeof(std::int64_t));
constexpr auto entry_bytes = static_cast<std::int64_t>(sizeof(Entry));

[[noreturn]] void fail(const std::string& path, const std::string& action) {
  throw std::system_error(errno, std::generic_category(), path + ": could not " + action);
}

/// Another record's entries are not this one's.
std::uint64_t seed_of(const std::string& heading) {
  Hash hash;
  hash.add(heading.data(), heading.size());
  return hash.value();
}

std::uint64_t checksum(const hdf5::Region& rows, std::uint64_t seed) {
  Hash hash;
  hash.add(&seed, sizeof seed);
  hash.add(&rows, sizeof rows);
  return hash.value();
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : path_(path) {
    id_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (id_ < 0) fail(path, "open");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (id_ >= 0) ::close(id_);
  }

  int id() const { return id_; }
  int release() { return std::exchange(id_, -1); }
  void close() {
    if (::close(release()) != 0) fail(path_, "close");
  }

 private:
  std::string path_;
  int id_ = -1;
};

void write_all(const std::string& path, int descriptor, const void* bytes, std::int64_t count,
               std::int64_t offset) {
  while (count > 0) {
    const ssize_t written = ::pwrite(descriptor, bytes, static_cast<std::size_t>(count), offset);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail(path, "write");
    }
    bytes = static_cast<const char*>(bytes) + written;
    count -= written;
    offset += written;
  }
}

void flush(const std::string& path, int descriptor) {
  while (::fdatasync(descriptor) != 0) {
    if (errno != EINTR) fail(path, "flush to disk");
  }
}

/// One line whose length is a multiple of an entry's.
std::string heading_text(const Fingerprint& fingerprint, std::int64_t data_address) {
  const json heading{
      {format_key, format}, {"data_address", data_address}, {"fingerprint", fingerprint}};
  std::string text = heading.dump(-1, ' ', false, json::error_handler_t::replace);
  while ((text.size() + 1) % entry_bytes != 0) text += ' ';
  return text + '\n';
}

std::runtime_error no_record(const std::string& path, const std::string& found) {
  return std::runtime_error(path + ": expected a record of fusedconv_app, found " + found);
}

std::string read_heading(const std::string& path, std::istream& file) {
  std::array<char, longest_heading> line{};
  // Fails where the line is longer, or torn, or not there.
  if (!file.getline(line.data(), line.size()) || file.eof()) throw no_record(path, "no line of it");
  return std::string(line.data(), static_cast<std::size_t>(file.gcount()) - 1) + '\n';
}

/// What a heading says.
Record parse_heading(const std::string& path, const std::string& heading) {
  try {
    const json parsed = json::parse(heading);
    const json& found_format = parsed.at(format_key);
    const json& address = parsed.at("data_address");
    if (!found_format.is_number_integer() || found_format != format) {
      throw no_record(path, "one of another format than " + std::to_string(format));
    }
    if (!address.is_number_integer()) throw no_record(path, "no address of data");
    return {.fingerprint = parsed.at("fingerprint").get<Fingerprint>(),
            .data_address = address,
            .complete = {},
            .end = 0};
  } catch (const json::exception& error) {
    throw no_record(path, error.what());
  }
}

}  // namespace

std::optional<Difference> difference(const Fingerprint& expected, const Fingerprint& found) {
  const auto value = [](const Fingerprint& fingerprint, const std::string& key) {
    for (const auto& [name, which] : fingerprint) {
      if (name == key) return which;
    }
    return std::string("none");
  };
  for (const auto& [key, which] : expected) {
    const std::string other = value(found, key);
    if (other != which) return Difference{key, which, other};
  }
  for (const auto& [key, which] : found) {
    const std::string other = value(expected, key);
    if (other != which) return Difference{key, other, which};
  }
  return std::nullopt;
}

void Hash::add(const void* bytes, std::size_t count) {
  const auto* const byte = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < count; ++i) value_ = (value_ ^ byte[i]) * 0x100000001b3;
}

std::string hash_text(const Hash& hash) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash.value()));
  return text.data();
}

std::string hash_text(const Fingerprint& fingerprint) {
  Hash hash;
  for (const auto& [key, which] : fingerprint) {
    // With the zeros that end them, which keep neighbours apart.
    hash.add(key.c_str(), key.size() + 1);
    hash.add(which.c_str(), which.size() + 1);
  }
  return hash_text(hash);
}

std::string record_name(const std::string& unfinished_name) { return unfinished_name + ".record"; }

void create_record(const std::string& path, const Fingerprint& fingerprint,
                   std::int64_t data_address) {
  const std::string unnamed = path + ".new";
  const std::string heading = heading_text(fingerprint, data_address);
  try {
    Descriptor file(unnamed, O_WRONLY | O_CREAT | O_TRUNC);
    write_all(unnamed, file.id(), heading.data(), static_cast<std::int64_t>(heading.size()), 0);
    flush(unnamed, file.id());
    file.close();
    std::filesystem::rename(unnamed, path);
  } catch (const std::exception&) {
    // Of the failure at hand there is more to tell.
    ::unlink(unnamed.c_str());
    throw;
  }
}

Record read_record(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(path, "open");
  const std::string heading = read_heading(path, file);
  Record record = parse_heading(path, heading);
  const std::uint64_t seed = seed_of(heading);
  auto size = static_cast<std::int64_t>(heading.size());
  for (Entry entry; file.read(reinterpret_cast<char*>(&entry), entry_bytes);) {
    if (entry.checksum == checksum(entry.rows, seed)) record.complete.push_back(entry.rows);
    size += entry_bytes;
  }
  if (file.bad()) fail(path, "read");
  size += file.gcount();
  record.end = (size + entry_bytes - 1) / entry_bytes * entry_bytes;
  return record;
}

RecordWriter::RecordWriter(const std::string& path, const std::string& data, std::int64_t end,
                           int rank, int ranks)
    : path_(path), data_path_(data), next_(end + rank * entry_bytes), step_(ranks * entry_bytes) {
  std::ifstream file(path, std::ios::binary);
  seed_ = seed_of(read_heading(path, file));
  Descriptor record(path, O_WRONLY);
  data_ = Descriptor(data, O_WRONLY).release();
  record_ = record.release();
}

RecordWriter::~RecordWriter() {
  ::close(record_);
  ::close(data_);
}

void RecordWriter::add(const hdf5::Region& complete) {
  flush(data_path_, data_);
  const Entry entry{complete, checksum(complete, seed_)};
  write_all(path_, record_, &entry, entry_bytes, next_);
  next_ += step_;
}

void flush_to_disk(const std::string& path) {
  Descriptor file(path, O_WRONLY);
  flush(path, file.id());
  file.close();
}

}  // namespace fusedconv::app
