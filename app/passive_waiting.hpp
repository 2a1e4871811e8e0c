// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_PASSIVE_WAITING_HPP
#define FUSEDCONV_APP_PASSIVE_WAITING_HPP

namespace fusedconv::app {

/// Lets OpenMP's threads sleep where they wait, unless the environment says how they are to wait
/// (OMP_WAIT_POLICY). By default they spin, which takes processors from the thread that reads and
/// writes, and so from each other: a job on two cores took three times as long.
///
/// OpenMP reads the environment before main(), so the program is started again, in this process. To
/// be called first of all; does nothing on systems other than Linux.
void wait_passively(char** argv);

}  // namespace fusedconv::app

#endif
