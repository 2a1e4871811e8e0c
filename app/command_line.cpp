// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include <hdf5.h>
#include <mpi.h>

#include <CLI/CLI.hpp>
#include <fusedconv/options.hpp>
#include <vector>

#include "backend.hpp"
#include "version.hpp"

namespace fusedconv::app {

namespace {

constexpr const char* name = "fusedconv_app";

std::string version_text() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  std::string text = std::string(name) + " " + version + " (" + commit + ")\nbackends:";
  for (const std::string& backend : backend_names()) text += " " + backend;
  text += "\nKokkos " + std::to_string(KOKKOS_VERSION / 10000) + "." +
          std::to_string(KOKKOS_VERSION / 100 % 100) + "." + std::to_string(KOKKOS_VERSION % 100);
  if (H5get_libversion(&major, &minor, &release) >= 0) {
    text += ", HDF5 " + std::to_string(major) + "." + std::to_string(minor) + "." +
            std::to_string(release);
  }
  return text + ", MPI " + std::to_string(MPI_VERSION) + "." + std::to_string(MPI_SUBVERSION);
}

std::vector<std::string> backend_choices() {
  std::vector<std::string> choices = backend_names();
  choices.insert(choices.begin(), "auto");
  return choices;
}

std::vector<std::string> algorithm_choices() {
  std::vector<std::string> choices;
  for (const Algorithm algorithm : {Algorithm::automatic, Algorithm::direct, Algorithm::winograd,
                                    Algorithm::tensor_core, Algorithm::gemm}) {
    if (is_available(algorithm)) choices.emplace_back(to_string(algorithm));
  }
  return choices;
}

std::vector<std::string> precision_choices() {
  return {std::string(to_string(Precision::fp32)), std::string(to_string(Precision::tf32))};
}

}  // namespace

std::string default_output(const std::string& input) {
  const std::string suffix = ".h5";
  const std::string stem =
      input.ends_with(suffix) ? input.substr(0, input.size() - suffix.size()) : input;
  return stem + "_output" + suffix;
}

std::variant<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app(
      "Computes y = GroupNorm(sigmoid((conv2d(x) + bias) * scale)) for the images of an HDF5 "
      "file.\n"
      "Runs as it is or under mpirun; ranks share the images.",
      name);
  app.footer(
      "Exit codes: 0 done, 1 failed while running, 2 bad input or usage, 3 verification failed.");
  app.set_version_flag("--version", version_text(), "Print versions and backends, and exit");

  app.add_option("INPUT", line.input, "File with the dataset input (N, Cin, H, W)")->required();
  app.add_option(
         "-o,--output", line.output,
         "File to write; appears under this name only when whole [INPUT with _output.h5 for "
         ".h5]")
      ->type_name("FILE");
  app.add_option("--parameters", line.parameters,
                 "File with conv.weight and the other parameters; its attributes win over those of "
                 "INPUT [INPUT]")
      ->type_name("FILE");
  line.backend = "auto";
  app.add_option("--backend", line.backend,
                 "Where to compute; auto is the first of this list that follows it [auto]")
      ->type_name("NAME")
      ->check(CLI::IsMember(backend_choices()));
  line.algorithm = "auto";
  app.add_option("--algorithm", line.algorithm,
                 "How to convolve; winograd is for CPUs, tensor_core for NVIDIA GPUs [auto]")
      ->type_name("NAME")
      ->check(CLI::IsMember(algorithm_choices()));
  line.precision = to_string(Precision::fp32);
  app.add_option("--precision", line.precision,
                 "fp32 is right to float32; tf32 leaves to round what is multiplied to 11 bits, as "
                 "TF32 does, where that is faster: on tensor cores [fp32]")
      ->type_name("NAME")
      ->check(CLI::IsMember(precision_choices()));
  CLI::Option* const verify =
      app.add_option("--verify", line.reference,
                     "Compare with the dataset output of this file; the output is kept whatever "
                     "comes of it")
          ->type_name("FILE");
  app.add_option("--tolerance", line.tolerance,
                 "Largest relative L2 error with which --verify passes [1e-5]")
      ->type_name("ERROR")
      ->check(CLI::NonNegativeNumber)
      ->needs(verify);
  CLI::Option* const report =
      app.add_option("--report", line.report, "Write the report to this file, as JSON")
          ->type_name("FILE");
  app.add_option("--chunk", line.chunk,
                 "Images that a rank reads, computes and writes at a time [as --memory allows]")
      ->type_name("IMAGES")
      ->check(CLI::PositiveNumber);
  app.add_option(
         "--memory", line.memory,
         "Host memory that a rank may take, as 256M or 2G [a quarter of what is free, shared "
         "among the ranks of a node]")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  app.add_option("--device-memory", line.device_memory,
                 "Memory of a GPU that a rank may take [half of what is free, shared likewise]")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  app.add_option("--repeat", line.repeat,
                 "Compute each piece this many times and report median and minimum [1]")
      ->type_name("TIMES")
      ->check(CLI::PositiveNumber);
  app.add_option(
         "--log-interval", line.log_interval,
         "Seconds between two lines of progress on standard error, where that is no terminal "
         "[60]")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
  app.add_flag("--dry-run", line.dry_run,
               "Check the input, print shapes, partition, algorithm and memory, and stop")
      ->excludes(report);
  app.add_flag("--quiet", line.quiet, "Print nothing but errors");

  try {
    app.parse(argc, argv);
    line.backend = resolve_backend(line.backend);
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{done, app.help()};
  } catch (const CLI::CallForVersion& version_asked) {
    return EarlyExit{done, std::string(version_asked.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return EarlyExit{bad_input_or_usage, std::string(name) + ": " + error.what() +
                                             "\nRun with --help for more information.\n"};
  }
  if (line.output.empty()) line.output = default_output(line.input);
  return line;
}

}  // namespace fusedconv::app
