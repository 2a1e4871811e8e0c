// SPDX-License-Identifier: Apache-2.0
#include <Kokkos_Core.hpp>
#include <cstdlib>
#include <exception>
#include <fusedconv/error.hpp>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "check.hpp"
#include "command_line.hpp"
#include "communicator.hpp"
#include "device.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "file_state.hpp"
#include "hdf5/checked_open.hpp"
#include "hdf5/filters.hpp"
#include "host_memory.hpp"
#include "input.hpp"
#include "interruption.hpp"
#include "job.hpp"
#include "passive_waiting.hpp"
#include "report.hpp"

namespace {

namespace app = fusedconv::app;

using app::fail;
using app::say;

/// Local ranks take the GPUs of a node in turn.
Kokkos::InitializationSettings kokkos_settings(const app::CommandLine& line,
                                               const app::Communicator& communicator) {
  Kokkos::InitializationSettings settings;
  // They would come from every rank.
  settings.set_disable_warnings(true);
  if (!std::is_same_v<Kokkos::DefaultExecutionSpace, Kokkos::DefaultHostExecutionSpace>) {
    if (app::gpu_count() == 0) {
      throw std::runtime_error("backend " + line.backend +
                               ": expected a GPU that its driver shows, found none");
    }
    settings.set_device_id(communicator.rank_on_node() % Kokkos::num_devices());
  }
  return settings;
}

void warn_of_shared_gpus(const app::CommandLine& line, const app::Communicator& communicator) {
  const bool shared =
      app::has_own_memory(line.backend) && communicator.ranks_on_node() > Kokkos::num_devices();
  if (communicator.maximum(std::int64_t{shared}) > 0 && communicator.is_root() && !line.quiet) {
    say("warning: ranks share GPUs, for a node has more ranks than GPUs");
  }
}

std::string with_free_memory(std::string sentence, const std::string& backend) {
  sentence += "; free were " + std::to_string(app::free_host_memory()) + " bytes on the host";
  if (!backend.empty() && app::has_own_memory(backend)) {
    sentence += " and " + std::to_string(app::free_memory(backend)) + " bytes on the device";
  }
  return sentence;
}

/// What an exception says, and where memory was wanted how much was left.
/// \param backend none before there is one
std::string sentence_of(const std::exception& error, const std::string& backend) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return with_free_memory(std::string("out of memory (") + error.what() + ")", backend);
  }
  if (dynamic_cast<const fusedconv::OutOfMemory*>(&error) != nullptr) {
    return with_free_memory(error.what(), backend);
  }
  return error.what();
}

[[noreturn]] void fail(const app::Communicator& communicator, const std::exception& error,
                       const std::string& backend = {}, std::string_view advice = {}) noexcept {
  try {
    fail(communicator, sentence_of(error, backend), advice);
  } catch (const std::exception&) {
    // There is no memory even for the sentence.
    fail(communicator, error.what(), advice);
  }
}

/// Compares outputs with their checksums. Called by all ranks.
app::ExitCode check(const app::CommandLine& line, const app::Communicator& communicator) {
  app::ExitCode code = app::done;
  for (const std::string& path : line.checked) {
    const app::CheckedOutput checked = app::check_output(path, line.permissions, communicator);
    const bool passes = checked.wrong_rows == 0;
    if (!passes) code = app::verification_failed;
    if (!communicator.is_root()) continue;
    if (!passes) {
      say(to_string(checked, path));
    } else if (!line.quiet) {
      std::cout << to_string(checked, path) << "\n" << std::flush;
    }
  }
  return code;
}

/// Tells what came of some jobs.
app::ExitCode conclude(const app::CommandLine& line, const app::Communicator& communicator,
                       const std::vector<app::JobReport>& reports) {
  app::ExitCode code = app::done;
  if (communicator.is_root()) {
    if (!line.report.empty()) app::write_report(line.report, reports);
    for (const app::JobReport& report : reports) {
      for (const std::string& sentence : app::verification_failures(report)) {
        code = app::verification_failed;
        say(sentence);
      }
    }
  }
  communicator.broadcast(&code, sizeof code);
  return code;
}

app::ExitCode tell_of_interruption(const app::Communicator& communicator, const app::Job& job,
                                   int signal) {
  if (communicator.is_root()) {
    say("interrupted by " + app::signal_name(signal) + ": " +
        std::to_string(job.complete_images()) + " of " + std::to_string(job.report().shape.batch) +
        " images are complete; run again with --resume to go on");
  }
  return app::interrupted;
}

/// \param reports gets one more
app::ExitCode run_job(const app::CommandLine& line, const app::JobInput& input,
                      const app::Communicator& communicator, std::vector<app::JobReport>& reports) {
  app::Job job(line, input, communicator);
  if (job.splits_images() && input.files.size() > 1) {
    // Ranks share every file then, one after the other.
    for (const app::InputFile& file : input.files) {
      app::JobInput one{input.layer, {file}};
      one.layer.shape.batch = file.images;
      const app::ExitCode code = run_job(line, one, communicator, reports);
      if (code != app::done) return code;
    }
    return app::done;
  }
  const bool speaks = communicator.is_root() && !line.quiet;
  if (speaks && line.resume) say(job.resumption_text());
  if (line.dry_run) {
    if (speaks) app::print_plan(std::cout, job.report());
    return app::done;
  }
  // Nothing below may be unwound past the job while other ranks run on.
  try {
    if (const int signal = job.run()) return tell_of_interruption(communicator, job, signal);
    if (speaks) app::print_report(std::cout, job.report());
    reports.push_back(job.report());
    return app::done;
  } catch (const app::FileChanged& error) {
    // What is complete is of an input that there is no more.
    job.keep_what_is_complete();
    fail(communicator, error, line.backend);
  } catch (const std::exception& error) {
    fail(communicator, error, line.backend,
         job.keep_what_is_complete() ? "; run again with --resume to go on" : "");
  }
}

app::ExitCode run_jobs(const app::CommandLine& line, const std::vector<app::JobInput>& inputs,
                       const app::Communicator& communicator) {
  std::vector<app::JobReport> reports;
  for (const app::JobInput& input : inputs) {
    const app::ExitCode code = run_job(line, input, communicator, reports);
    if (code != app::done) return code;
  }
  return line.dry_run ? app::done : conclude(line, communicator, reports);
}

app::ExitCode run(int argc, char** argv, const app::Communicator& communicator) {
  const auto parsed = app::parse_command_line(argc, argv);
  if (const auto* exit = std::get_if<app::EarlyExit>(&parsed)) {
    if (communicator.is_root()) (exit->code == app::done ? std::cout : std::cerr) << exit->text;
    return exit->code;
  }
  const auto& line = std::get<app::CommandLine>(parsed);
  // What --compress needs has been loaded.
  if (!line.permissions.filter_plugins) app::hdf5::forbid_plugins();

  if (!line.checked.empty()) {
    try {
      return check(line, communicator);
    } catch (const app::hdf5::InvalidFile& error) {
      // Thrown by every rank for the same reason.
      if (communicator.is_root()) say(error.what());
      return app::bad_input_or_usage;
    } catch (const std::exception& error) {
      fail(communicator, error.what());
    }
  }
  const auto inputs = app::read_inputs(line, communicator);
  if (const auto* rejection = std::get_if<app::Rejection>(&inputs)) {
    if (communicator.is_root()) say(rejection->sentence);
    return rejection->code;
  }
  const auto& jobs = std::get<std::vector<app::JobInput>>(inputs);

  try {
    const Kokkos::ScopeGuard kokkos(kokkos_settings(line, communicator));
    warn_of_shared_gpus(line, communicator);
    return run_jobs(line, jobs, communicator);
  } catch (const fusedconv::InvalidArgument& error) {
    // Thrown before anything runs, by every rank for the same reason.
    if (communicator.is_root()) say(jobs.front().files.front().name + ": " + error.what());
    return app::bad_input_or_usage;
  } catch (const app::OutputRefused& error) {
    // Likewise.
    if (communicator.is_root()) say(error.what());
    return app::bad_input_or_usage;
  } catch (const fusedconv::OutOfMemory& error) {
    // Likewise.
    if (communicator.is_root()) say(sentence_of(error, line.backend));
    return app::failed_while_running;
  } catch (const std::exception& error) {
    fail(communicator, error, line.backend);
  }
}

}  // namespace

int main(int argc, char** argv) {
  app::wait_passively(argv);
  const app::MpiSession mpi(argc, argv);
  app::handle_signals();
  const app::Communicator communicator;
  app::handle_abnormal_ends(communicator);
  if (!mpi.threads_may_take_turns()) {
    if (communicator.is_root()) {
      say("MPI: expected MPI_THREAD_SERIALIZED, found an MPI library that lets but one thread call "
          "it");
    }
    return app::failed_while_running;
  }
  try {
    return run(argc, argv, communicator);
  } catch (const std::exception& error) {
    fail(communicator, error);
  }
}
