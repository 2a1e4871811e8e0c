// SPDX-License-Identifier: Apache-2.0
//
// Loaded before all else (LD_PRELOAD) where leaks are looked for, so that what Open MPI leaves can
// be told from what we do. Its modules stay loaded when it closes them, for what they hold could be
// neither reached nor named afterwards; and what it prints to memory is allocated here, for its own
// frames cannot be followed from the C library's.

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace {

int print(char** text, const char* format, va_list arguments) noexcept {
  va_list counted;
  va_copy(counted, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, counted);
  va_end(counted);
  if (length < 0) return -1;
  const std::size_t size = static_cast<std::size_t>(length) + 1;
  *text = static_cast<char*>(std::malloc(size));
  return *text == nullptr ? -1 : std::vsnprintf(*text, size, format, arguments);
}

}  // namespace

extern "C" {

int dlclose(void*) noexcept { return 0; }

// The names that the C library's headers give to asprintf and vasprintf.
// NOLINTBEGIN(bugprone-reserved-identifier)
int __vasprintf_chk(char** text, int, const char* format, va_list arguments) noexcept {
  return print(text, format, arguments);
}

int __asprintf_chk(char** text, int, const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  const int length = print(text, format, arguments);
  va_end(arguments);
  return length;
}
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"
