// SPDX-License-Identifier: Apache-2.0
//
// Loaded before the C library (LD_PRELOAD), it lets a fault happen at a chosen system call of
// fusedconv_app, which makes moments that a test cannot hit by waiting exact and repeatable.
//
// FUSEDCONV_TEST_FAULT=ACTION:CALL:PATH[:RANK] acts at call number CALL (from 1) on files whose
// path contains PATH, in the process of this rank, or in every process:
//   kill    writes half of what is to be written, and ends the process by SIGKILL
//   signal-NUMBER  sends this signal to the process, and goes on
//   full    from this call on, writes fail because the disk is full
//   fail    from this call on, reads fail
//   shrink  cuts the file to half its size, and goes on
// Writes, flushes, changes of a size, renaming and removing are counted; for `fail` and `shrink`
// reads alone.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Fault {
  std::string action;
  long call = 0;
  std::string path;

  bool is_of_reads() const { return action == "fail" || action == "shrink"; }
};

bool concerns_this_rank(const std::string& rank) {
  const char* const mine = std::getenv("OMPI_COMM_WORLD_RANK");
  return rank.empty() || rank == (mine == nullptr ? "0" : mine);
}

Fault parse(const char* text) {
  if (text == nullptr) return {};
  std::array<std::string, 4> words;
  std::size_t word = 0;
  for (; *text != '\0'; ++text) {
    if (*text == ':' && word + 1 < words.size()) {
      ++word;
    } else {
      words[word] += *text;
    }
  }
  if (!concerns_this_rank(words[3])) return {};
  return {words[0], std::atol(words[1].c_str()), words[2]};
}

const Fault& fault() {
  static const Fault chosen = parse(std::getenv("FUSEDCONV_TEST_FAULT"));
  return chosen;
}

/// The C library's function.
template <class Function>
Function* next(const char* name) {
  void* const symbol = dlsym(RTLD_NEXT, name);
  if (symbol == nullptr) std::abort();
  Function* function = nullptr;
  std::memcpy(&function, &symbol, sizeof function);
  return function;
}

std::string path_of(int descriptor) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = readlink(link.c_str(), path.data(), path.size() - 1);
  return {path.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
}

/// How often a file of the fault's path was read, or written to.
long count(const std::string& path, bool read) {
  static std::atomic<long> calls = 0;
  const Fault& chosen = fault();
  if (chosen.call == 0 || chosen.is_of_reads() != read) return 0;
  return path.find(chosen.path) == std::string::npos ? 0 : ++calls;
}

/// \return whether the call is to fail
template <class WriteHalf>
bool happens_at_change(const std::string& path, WriteHalf&& write_half) {
  const long call = count(path, false);
  const Fault& chosen = fault();
  if (call == 0 || call < chosen.call) return false;
  if (chosen.action == "full") return true;
  if (call > chosen.call) return false;
  if (chosen.action == "kill") {
    write_half();
    kill(getpid(), SIGKILL);
    pause();
  }
  // To this very thread, so that it has arrived when the call goes on.
  raise(std::atoi(chosen.action.c_str() + std::strlen("signal-")));
  return false;
}

bool happens_at_change(const std::string& path) {
  return happens_at_change(path, [] {});
}

bool happens_at_read(int descriptor) {
  const std::string path = path_of(descriptor);
  const long call = count(path, true);
  const Fault& chosen = fault();
  if (call == 0 || call < chosen.call) return false;
  if (chosen.action == "fail") return true;
  if (call == chosen.call) {
    const off_t size = lseek(open(path.c_str(), O_RDONLY | O_CLOEXEC), 0, SEEK_END);
    if (truncate(path.c_str(), size / 2) != 0) std::abort();
  }
  return false;
}

ssize_t full_disk() {
  errno = ENOSPC;
  return -1;
}

ssize_t broken_disk() {
  errno = EIO;
  return -1;
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* bytes, size_t size) {
  static auto* const real = next<decltype(write)>("write");
  if (happens_at_change(path_of(descriptor), [&] { real(descriptor, bytes, size / 2); })) {
    return full_disk();
  }
  return real(descriptor, bytes, size);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  static auto* const real = next<decltype(pwrite)>("pwrite");
  if (happens_at_change(path_of(descriptor), [&] { real(descriptor, bytes, size / 2, offset); })) {
    return full_disk();
  }
  return real(descriptor, bytes, size, offset);
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off_t offset) {
  return pwrite(descriptor, bytes, size, offset);
}

ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t offset) {
  static auto* const real = next<decltype(pwritev)>("pwritev");
  const auto write_half = [&] {
    next<decltype(pwrite)>("pwrite")(descriptor, parts->iov_base, parts->iov_len / 2, offset);
  };
  if (happens_at_change(path_of(descriptor), write_half)) return full_disk();
  return real(descriptor, parts, count, offset);
}

ssize_t pwritev64(int descriptor, const iovec* parts, int count, off_t offset) {
  return pwritev(descriptor, parts, count, offset);
}

int fdatasync(int descriptor) {
  static auto* const real = next<decltype(fdatasync)>("fdatasync");
  if (happens_at_change(path_of(descriptor))) return static_cast<int>(full_disk());
  return real(descriptor);
}

int ftruncate(int descriptor, off_t size) noexcept {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  if (happens_at_change(path_of(descriptor))) return static_cast<int>(full_disk());
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
