// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PROGRESS_HPP
#define FUSEDCONV_APP_PROGRESS_HPP

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace fusedconv::app {

/// How much of a job is done, or there is to do.
struct Amount {
  double images = 0;       ///< written; rows of a split image are a fraction of it
  std::int64_t bytes = 0;  ///< read and written

  Amount& operator+=(const Amount& other);
};

/// How progress is told.
struct ProgressDisplay {
  std::ostream* stream = nullptr;  ///< null: not at all
  bool is_terminal = false;        ///< a bar that is written over, else a line now and then
  double interval = 60;            ///< seconds between two lines
  int columns = 80;                ///< of the terminal
  std::function<double()> clock;   ///< seconds since any time
};

/// Standard error if progress is wanted, its terminal if it is one, and a steady clock.
ProgressDisplay standard_error_display(bool wanted, double interval);

/// Tells how far a job is: images, images/s, bytes/s and the time that remains.
///
/// The time that remains is what the bytes that are left take at the rate of those that are done.
class Progress {
 public:
  /// \param total of all ranks
  Progress(const Amount& total, ProgressDisplay display);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Clears the bar.
  ~Progress();

  /// \param done by all ranks, from the beginning
  void update(const Amount& done);
  /// Does the work of update() only where it would show something now.
  bool is_due() const;

 private:
  std::string text(const Amount& done, double seconds) const;
  std::string bar(const Amount& done, const std::string& text) const;

  Amount total_;
  ProgressDisplay display_;
  double start_ = 0;
  double shown_ = 0;
};

/// "4:05", "1:02:03"
std::string duration_text(double seconds);

}  // namespace fusedconv::app

#endif
