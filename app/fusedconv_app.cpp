// SPDX-License-Identifier: Apache-2.0
#include <Kokkos_Core.hpp>
#include <exception>
#include <fusedconv/error.hpp>
#include <iostream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <variant>

#include "command_line.hpp"
#include "communicator.hpp"
#include "device.hpp"
#include "exit_code.hpp"
#include "input.hpp"
#include "job.hpp"
#include "passive_waiting.hpp"
#include "report.hpp"

namespace {

namespace app = fusedconv::app;

void say(const std::string& sentence) {
  std::cerr << "fusedconv_app: " + sentence + "\n" << std::flush;
}

/// What is thrown while a rank runs: told, and the end of all ranks.
app::ExitCode fail(const app::Communicator& communicator, const std::string& sentence) {
  if (communicator.size() == 1) {
    say(sentence);
  } else {
    say("rank " + std::to_string(communicator.rank()) + ": " + sentence);
    MPI_Abort(communicator.get(), app::failed_while_running);
  }
  return app::failed_while_running;
}

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

std::string with_free_memory(const fusedconv::OutOfMemory& error, const std::string& backend) {
  std::string sentence = error.what();
  sentence += "; free were " + std::to_string(app::free_host_memory()) + " bytes on the host";
  if (app::has_own_memory(backend)) {
    sentence += " and " + std::to_string(app::free_memory(backend)) + " bytes on the device";
  }
  return sentence;
}

app::ExitCode conclude(const app::CommandLine& line, const app::Communicator& communicator,
                       const app::JobReport& report) {
  app::ExitCode code = app::done;
  if (communicator.is_root()) {
    if (!line.quiet) app::print_report(std::cout, report);
    if (!line.report.empty()) app::write_report(line.report, report);
    if (report.deviation && !report.deviation->passes(line.tolerance)) {
      code = app::verification_failed;
      say(app::verification_failure(report));
    }
  }
  communicator.broadcast(&code, sizeof code);
  return code;
}

app::ExitCode run_job(const app::CommandLine& line, const fusedconv::app::hdf5::LayerFile& layer,
                      const app::Communicator& communicator) {
  app::Job job(line, layer, communicator);
  if (line.dry_run) {
    if (communicator.is_root() && !line.quiet) app::print_plan(std::cout, job.report());
    return app::done;
  }
  // Nothing below may be unwound past the job while other ranks run on.
  try {
    job.run();
    return conclude(line, communicator, job.report());
  } catch (const fusedconv::OutOfMemory& error) {
    job.discard_output();
    return fail(communicator, with_free_memory(error, line.backend));
  } catch (const std::exception& error) {
    job.discard_output();
    return fail(communicator, error.what());
  }
}

app::ExitCode run(int argc, char** argv, const app::Communicator& communicator) {
  const auto parsed = app::parse_command_line(argc, argv);
  if (const auto* exit = std::get_if<app::EarlyExit>(&parsed)) {
    if (communicator.is_root()) (exit->code == app::done ? std::cout : std::cerr) << exit->text;
    return exit->code;
  }
  const auto& line = std::get<app::CommandLine>(parsed);

  const auto input = app::read_input(line, communicator);
  if (const auto* rejection = std::get_if<app::Rejection>(&input)) {
    if (communicator.is_root()) say(rejection->sentence);
    return rejection->code;
  }
  const auto& layer = std::get<app::hdf5::LayerFile>(input);

  try {
    const Kokkos::ScopeGuard kokkos(kokkos_settings(line, communicator));
    warn_of_shared_gpus(line, communicator);
    return run_job(line, layer, communicator);
  } catch (const fusedconv::InvalidArgument& error) {
    // Thrown before anything runs, by every rank for the same reason.
    if (communicator.is_root()) say(line.input + ": " + error.what());
    return app::bad_input_or_usage;
  } catch (const fusedconv::OutOfMemory& error) {
    // Likewise.
    if (communicator.is_root()) say(with_free_memory(error, line.backend));
    return app::failed_while_running;
  } catch (const std::exception& error) {
    return fail(communicator, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  app::wait_passively(argv);
  const app::MpiSession mpi(argc, argv);
  const app::Communicator communicator;
  if (!mpi.threads_may_take_turns()) {
    if (communicator.is_root()) {
      say("MPI: expected MPI_THREAD_SERIALIZED, found an MPI library that lets but one thread call "
          "it");
    }
    return app::failed_while_running;
  }
  return run(argc, argv, communicator);
}
