// SPDX-License-Identifier: Apache-2.0
#include "failure.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>

#include "exit_code.hpp"

namespace fusedconv::app {

namespace {

constexpr const char* resume_advice = "; run again with --resume to go on with what is complete";
/// Within it MPI ends all ranks, or else this one ends itself and leaves the others to the
/// launcher.
constexpr unsigned most_seconds_of_abort = 10;

/// Of this process, for those who are called without arguments.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
int rank = 0;
int ranks = 1;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

// POSIX has one structure for what is read and what is written.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
iovec part(std::string_view text) { return {const_cast<char*>(text.data()), text.size()}; }

template <std::size_t Parts>
void write_line(const std::array<iovec, Parts>& line) noexcept {
  // Where nobody can be told there is nothing else to do.
  static_cast<void>(::writev(STDERR_FILENO, line.data(), static_cast<int>(Parts)));
}

/// With the rank, where there are several.
void say_of_rank(std::string_view sentence, std::string_view advice) noexcept {
  std::array<char, 16> digits{};
  const char* const end = std::to_chars(digits.begin(), digits.end(), rank).ptr;
  const std::string_view number(digits.data(), static_cast<std::size_t>(end - digits.data()));
  const bool named = ranks > 1;
  write_line(std::array{part("fusedconv_app: "), part(named ? "rank " : ""),
                        part(named ? number : ""), part(named ? ": " : ""), part(sentence),
                        part(advice), part("\n")});
}

/// \param sentence told unless another thread has told something
[[noreturn]] void end_all_ranks(std::string_view sentence, std::string_view advice) noexcept {
  static std::atomic_flag has_begun;
  if (has_begun.test_and_set()) {
    for (;;) ::pause();
  }
  say_of_rank(sentence, advice);
  if (ranks > 1) {
    std::signal(SIGABRT, SIG_DFL);
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(most_seconds_of_abort);
    MPI_Abort(MPI_COMM_WORLD, failed_while_running);
  }
  std::_Exit(failed_while_running);
}

[[noreturn]] void end_by_exception() noexcept {
  constexpr const char* no_reason = "ended by a library";
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    end_all_ranks("out of memory", resume_advice);
  } catch (const std::exception& error) {
    end_all_ranks(error.what(), resume_advice);
  } catch (...) {
    end_all_ranks(no_reason, resume_advice);
  }
  end_all_ranks(no_reason, resume_advice);
}

/// What calls abort() has written why.
extern "C" void end_by_abort(int) {
  end_all_ranks("ended by a library, for the reason above", resume_advice);
}

}  // namespace

void say(std::string_view sentence) noexcept {
  write_line(std::array{part("fusedconv_app: "), part(sentence), part("\n")});
}

void fail(const Communicator& communicator, std::string_view sentence,
          std::string_view advice) noexcept {
  rank = communicator.rank();
  ranks = communicator.size();
  end_all_ranks(sentence, advice);
}

void handle_abnormal_ends(const Communicator& communicator) {
  rank = communicator.rank();
  ranks = communicator.size();
  std::set_terminate(end_by_exception);
  std::signal(SIGABRT, end_by_abort);
}

}  // namespace fusedconv::app
