// SPDX-License-Identifier: Apache-2.0
#include "mapped_writer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <numeric>
#include <system_error>
#include <thread>

namespace fusedconv::app {

namespace {

/// Filled by a thread at a time: a huge page, and little enough for what the kernel has just
/// cleared to be still in a core's cache.
constexpr std::int64_t part_bytes = std::int64_t{2} << 20;

/// Allocates the file's pages. Where there is no room this is an error, not the signal that
/// touching them would be.
bool populate([[maybe_unused]] void* pages, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  return ::madvise(pages, bytes, MADV_POPULATE_WRITE) == 0;
#else
  return false;
#endif
}

/// Asks for huge pages, which file systems have that are mounted so (tmpfs with huge=advise).
void prefer_huge([[maybe_unused]] void* pages, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  // Where there are none, others do as well.
  static_cast<void>(::madvise(pages, bytes, MADV_HUGEPAGE));
#endif
}

/// Takes pages from this process's memory; the file keeps what they hold.
bool release(void* pages, std::size_t bytes) { return ::madvise(pages, bytes, MADV_DONTNEED) == 0; }

std::int64_t page_bytes() {
  static const std::int64_t bytes = ::sysconf(_SC_PAGESIZE);
  return bytes;
}

void store(const float* values, std::int64_t count, hdf5::ElementType type, std::byte* target) {
  switch (type) {
    case hdf5::ElementType::float16:
      hdf5::to_float16(values, count, reinterpret_cast<std::uint16_t*>(target));
      break;
    case hdf5::ElementType::bfloat16:
      hdf5::to_bfloat16(values, count, reinterpret_cast<std::uint16_t*>(target));
      break;
    default:
      std::memcpy(target, values, static_cast<std::size_t>(count) * sizeof(float));
  }
}

}  // namespace

MappedWriter::MappedWriter(const std::string& path, std::int64_t address,
                           const std::vector<std::int64_t>& extents, hdf5::ElementType type,
                           int threads)
    : file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)),
      address_(address),
      extents_(extents),
      type_(type),
      threads_(threads) {
  if (file_ < 0) {
    throw std::system_error(errno, std::generic_category(), path + ": could not open");
  }
  // What is rounded is stored as integers of 16 bits, which do not lie at odd addresses.
  const bool is_rounded = type != hdf5::ElementType::float32;
  if (is_rounded && address % static_cast<std::int64_t>(alignof(std::uint16_t)) != 0) return;
  const std::int64_t before = address % page_bytes();
  const std::int64_t elements =
      std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
  mapped_bytes_ = static_cast<std::size_t>(before + elements * hdf5::element_bytes(type));
  void* const pages =
      ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, address - before);
  if (pages == MAP_FAILED) return;
  prefer_huge(pages, mapped_bytes_);
  data_ = static_cast<std::byte*>(pages) + before;
}

MappedWriter::~MappedWriter() {
  if (data_ != nullptr) ::munmap(data_ - address_ % page_bytes(), mapped_bytes_);
  ::close(file_);
}

std::vector<MappedWriter::Part> MappedWriter::parts_of(const hdf5::Region& region) const {
  const std::int64_t row = extents_[3];
  const std::int64_t plane = extents_[2] * row;
  const std::int64_t image = extents_[1] * plane;
  const bool whole = region.rows == extents_[2];
  // Rows of a channel are consecutive, and so are whole images.
  const std::int64_t runs = whole ? 1 : region.images * extents_[1];
  const std::int64_t length = whole ? region.images * image : region.rows * row;
  const std::int64_t size = hdf5::element_bytes(type_);
  std::vector<Part> parts;
  for (std::int64_t run = 0; run < runs; ++run) {
    const std::int64_t first = region.first_image * image + run * plane + region.first_row * row;
    std::int64_t count = 0;
    for (std::int64_t done = 0; done < length; done += count) {
      const std::int64_t begin = address_ + (first + done) * size;
      const std::int64_t end = (begin / part_bytes + 1) * part_bytes;
      // An element may lie across the border.
      count = std::min((end - begin + size - 1) / size, length - done);
      parts.push_back({first + done, run * length + done, count});
    }
  }
  return parts;
}

bool MappedWriter::copy(const Part& part, const float* values) const {
  const std::int64_t size = hdf5::element_bytes(type_);
  std::byte* const target = data_ + part.first * size;
  const std::int64_t before = (address_ + part.first * size) % page_bytes();
  const auto bytes = static_cast<std::size_t>(before + part.count * size);
  if (!populate(target - before, bytes)) return false;
  store(values + part.offset, part.count, type_, target);
  return release(target - before, bytes);
}

bool MappedWriter::write(const hdf5::Region& region, const float* values) const {
  if (data_ == nullptr) return false;
  const std::vector<Part> parts = parts_of(region);
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto copy_parts = [&] {
    for (std::size_t part = next++; part < parts.size() && !failed; part = next++) {
      if (!copy(parts[part], values)) failed = true;
    }
  };
  std::vector<std::jthread> others;
  try {
    const auto count = std::min<std::size_t>(static_cast<std::size_t>(threads_), parts.size());
    while (others.size() + 1 < count) others.emplace_back(copy_parts);
    // NOLINTNEXTLINE(bugprone-empty-catch): nothing is lost
  } catch (const std::system_error&) {
    // Those that there are do it all.
  }
  copy_parts();
  others.clear();
  return !failed;
}

}  // namespace fusedconv::app
