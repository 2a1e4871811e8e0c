// SPDX-License-Identifier: Apache-2.0
#include "fault.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace fusedconv::test {

namespace {

struct Kind {
  std::string_view name;
  Calls calls = Calls::changes;
  Effect effect = Effect::none;
  bool lasts = false;  ///< happens at the calls that follow, too
  bool counts_bytes = false;
};

constexpr std::array<Kind, 14> kinds{{
    {"kill", Calls::changes, Effect::kills},
    {"signal", Calls::changes, Effect::signals},
    {"full", Calls::changes, Effect::is_full, true},
    {"full-at-byte", Calls::changes, Effect::is_full, true, true},
    {"fail", Calls::reads, Effect::fails, true},
    {"fail-once", Calls::reads, Effect::fails},
    {"kill-reading", Calls::reads, Effect::kills},
    {"shrink", Calls::reads, Effect::shrinks},
    {"allocation", Calls::allocations, Effect::fails},
    {"allocations", Calls::allocations, Effect::fails, true},
    {"hdf5", Calls::hdf5, Effect::fails},
    {"kokkos", Calls::kokkos, Effect::fails, true},
    {"kokkos-aborts", Calls::kokkos, Effect::aborts},
    {"kill-computing", Calls::kokkos, Effect::kills},
}};

/// Nothing here allocates: it is asked by operator new.
struct Fault {
  const Kind* kind = nullptr;
  long call = 0;
  std::string_view path;
  int signal = 0;
};

bool concerns_this_rank(std::string_view rank) {
  const char* const mine = std::getenv("OMPI_COMM_WORLD_RANK");
  return rank.empty() || rank == (mine == nullptr ? "0" : mine);
}

/// What stands before the next colon, which is taken off the text.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(':'));
  text.remove_prefix(word.size() < text.size() ? word.size() + 1 : word.size());
  return word;
}

template <class Number>
Number number(std::string_view digits) {
  Number value = 0;
  const char* const end = digits.data() + digits.size();
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the end is given, too
  const auto [rest, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || rest != end) std::abort();
  return value;
}

Fault parse(const char* text) {
  Fault fault;
  if (text == nullptr) return fault;
  std::string_view rest = text;
  std::string_view name = take_word(rest);
  constexpr std::string_view signal = "signal-";
  if (name.substr(0, signal.size()) == signal) {
    fault.signal = number<int>(name.substr(signal.size()));
    name = signal.substr(0, signal.size() - 1);
  }
  fault.call = number<long>(take_word(rest));
  fault.path = take_word(rest);
  if (!concerns_this_rank(rest)) return {};
  for (const Kind& kind : kinds) {
    if (kind.name == name) fault.kind = &kind;
  }
  if (fault.kind == nullptr) std::abort();
  return fault;
}

const Fault& fault() {
  static const Fault chosen = parse(std::getenv("FUSEDCONV_TEST_FAULT"));
  return chosen;
}

std::atomic<bool> mpi_runs = false;
std::atomic<long> counted = 0;
std::atomic<long> room_left = 0;

void tell(const char* text) {
  const char* const path = std::getenv("FUSEDCONV_TEST_FAULT_FOUND");
  if (path == nullptr) return;
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0 || dprintf(file, "%s", text) < 0 || close(file) != 0) std::abort();
}

bool concerns(const Fault& chosen, Calls calls, const char* path) {
  if (chosen.kind == nullptr || chosen.kind->calls != calls) return false;
  const bool of_files = calls == Calls::changes || calls == Calls::reads;
  return of_files ? std::string_view(path).find(chosen.path) != std::string_view::npos
                  : mpi_runs.load();
}

}  // namespace

Effect effect_at(Calls calls, const char* path, long bytes) {
  const Fault& chosen = fault();
  if (!concerns(chosen, calls, path)) return Effect::none;
  const long step = chosen.kind->counts_bytes ? bytes : 1;
  const long before = counted.fetch_add(step);
  const long now = before + step;
  if (chosen.call == 0 || now < chosen.call) return Effect::none;
  const bool first = before < chosen.call;
  if (first) {
    room_left = chosen.kind->counts_bytes ? chosen.call - before : 0;
    tell("happened");
  } else {
    if (!chosen.kind->lasts) return Effect::none;
    room_left = 0;
  }
  return chosen.kind->effect;
}

long room() { return room_left; }

int signal_number() { return fault().signal; }

void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

}  // namespace fusedconv::test

extern "C" {

// The names are MPI's.
// NOLINTNEXTLINE(readability-identifier-naming)
int MPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
  const int status = fusedconv::test::next<int(int*, char***, int, int*)>("MPI_Init_thread")(
      argc, argv, required, provided);
  fusedconv::test::mpi_runs = true;
  return status;
}

// NOLINTNEXTLINE(readability-identifier-naming)
int MPI_Finalize() {
  fusedconv::test::mpi_runs = false;
  const auto& fault = fusedconv::test::fault();
  const long calls = fusedconv::test::counted;
  if (fault.kind != nullptr && (fault.call == 0 || calls < fault.call)) {
    std::array<char, 32> number{};
    std::snprintf(number.data(), number.size(), "%ld", calls);
    fusedconv::test::tell(number.data());
  }
  return fusedconv::test::next<int()>("MPI_Finalize")();
}
}
