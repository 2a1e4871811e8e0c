// SPDX-License-Identifier: Apache-2.0
//
// The system's calls on files.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "fault.hpp"

namespace {

using fusedconv::test::Calls;
using fusedconv::test::Effect;
using fusedconv::test::next;

struct Path {
  explicit Path(int descriptor) {
    std::array<char, 64> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", descriptor);
    if (readlink(link.data(), text.data(), text.size() - 1) < 0) text[0] = '\0';
  }

  std::array<char, 4096> text{};
};

/// \param write writes so many bytes
/// \return whether the call is to fail
template <class Write>
bool happens_at_change(const char* path, std::size_t bytes, Write&& write) {
  switch (fusedconv::test::effect_at(Calls::changes, path, static_cast<long>(bytes))) {
    case Effect::is_full:
      return true;
    case Effect::kills:
      write(bytes / 2);
      fusedconv::test::die();
    case Effect::signals:
      // To this very thread, so that it has arrived when the call goes on.
      raise(fusedconv::test::signal_number());
      return false;
    default:
      return false;
  }
}

bool happens_at_change(const char* path) {
  return happens_at_change(path, 0, [](std::size_t) {});
}

bool happens_at_change(int descriptor) { return happens_at_change(Path(descriptor).text.data()); }

bool happens_at_read(int descriptor) {
  const Path path(descriptor);
  switch (fusedconv::test::effect_at(Calls::reads, path.text.data())) {
    case Effect::fails:
      return true;
    case Effect::kills:
      fusedconv::test::die();
    case Effect::shrinks: {
      const int file = open(path.text.data(), O_RDONLY | O_CLOEXEC);
      const off_t size = lseek(file, 0, SEEK_END);
      if (close(file) != 0 || truncate(path.text.data(), size / 2) != 0) std::abort();
      return false;
    }
    default:
      return false;
  }
}

ssize_t full_disk() {
  errno = ENOSPC;
  return -1;
}

ssize_t broken_disk() {
  errno = EIO;
  return -1;
}

/// A write, or what there is room for.
template <class Write>
ssize_t write_unless_full(int descriptor, std::size_t bytes, Write&& write) {
  const auto begin = [&](std::size_t count) { static_cast<void>(write(count)); };
  if (!happens_at_change(Path(descriptor).text.data(), bytes, begin)) return write(bytes);
  const std::size_t room = std::min(bytes, static_cast<std::size_t>(fusedconv::test::room()));
  return room > 0 ? write(room) : full_disk();
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* bytes, size_t size) {
  static auto* const real = next<decltype(write)>("write");
  return write_unless_full(descriptor, size,
                           [&](std::size_t count) { return real(descriptor, bytes, count); });
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  static auto* const real = next<decltype(pwrite)>("pwrite");
  return write_unless_full(
      descriptor, size, [&](std::size_t count) { return real(descriptor, bytes, count, offset); });
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off_t offset) {
  return pwrite(descriptor, bytes, size, offset);
}

ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t offset) {
  static auto* const real = next<decltype(pwritev)>("pwritev");
  std::size_t size = 0;
  for (int part = 0; part < count; ++part) size += parts[part].iov_len;
  return write_unless_full(descriptor, size, [&](std::size_t bytes) {
    if (bytes == size) return real(descriptor, parts, count, offset);
    return next<decltype(pwrite)>("pwrite")(descriptor, parts->iov_base,
                                            std::min(bytes, parts->iov_len), offset);
  });
}

ssize_t pwritev64(int descriptor, const iovec* parts, int count, off_t offset) {
  return pwritev(descriptor, parts, count, offset);
}

int fdatasync(int descriptor) {
  static auto* const real = next<decltype(fdatasync)>("fdatasync");
  if (happens_at_change(descriptor)) return static_cast<int>(full_disk());
  return real(descriptor);
}

int ftruncate(int descriptor, off_t size) noexcept {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  if (happens_at_change(descriptor)) return static_cast<int>(full_disk());
  return real(descriptor, size);
}

int ftruncate64(int descriptor, off_t size) noexcept { return ftruncate(descriptor, size); }

int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  if (happens_at_change(from)) return static_cast<int>(full_disk());
  return real(from, to);
}

int remove(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("remove");
  happens_at_change(path);
  return real(path);
}

ssize_t read(int descriptor, void* bytes, size_t size) {
  static auto* const real = next<decltype(read)>("read");
  return happens_at_read(descriptor) ? broken_disk() : real(descriptor, bytes, size);
}

ssize_t pread(int descriptor, void* bytes, size_t size, off_t offset) {
  static auto* const real = next<decltype(pread)>("pread");
  return happens_at_read(descriptor) ? broken_disk() : real(descriptor, bytes, size, offset);
}

ssize_t pread64(int descriptor, void* bytes, size_t size, off_t offset) {
  return pread(descriptor, bytes, size, offset);
}

ssize_t preadv(int descriptor, const iovec* parts, int count, off_t offset) {
  static auto* const real = next<decltype(preadv)>("preadv");
  return happens_at_read(descriptor) ? broken_disk() : real(descriptor, parts, count, offset);
}

ssize_t preadv64(int descriptor, const iovec* parts, int count, off_t offset) {
  return preadv(descriptor, parts, count, offset);
}

}  // extern "C"
