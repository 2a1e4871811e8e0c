// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PROGRESS_HPP
#define FUSEDCONV_APP_PROGRESS_HPP

#include <cstdint>

namespace fusedconv::app {

/// One line on the terminal that is written over as images are done; nothing where standard error
/// is no terminal.
class Progress {
 public:
  /// \param images of this rank
  Progress(bool wanted, std::int64_t images);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Clears the line.
  ~Progress();

  void add(std::int64_t images);

 private:
  bool shown_ = false;
  std::int64_t images_ = 0;
  std::int64_t done_ = 0;
};

}  // namespace fusedconv::app

#endif
