// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include <hdf5.h>
#include <mpi.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstddef>
#include <fusedconv/error.hpp>
#include <fusedconv/options.hpp>
#include <utility>
#include <vector>

#include "backend.hpp"
#include "version.hpp"

namespace fusedconv::app {

namespace {

constexpr const char* name = "fusedconv_app";
constexpr const char* other_files = "other-files";
constexpr const char* filter_plugins = "filter-plugins";

/// "Open MPI v4.1.4", "MPICH Version: 4.0.2": libraries have more to say after that.
std::string mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  std::string name(text.data(), static_cast<std::size_t>(length));
  name.erase(std::min(name.find_first_of(",\n"), name.size()));
  std::replace(name.begin(), name.end(), '\t', ' ');
  return name;
}

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
  text += ", MPI " + std::to_string(MPI_VERSION) + "." + std::to_string(MPI_SUBVERSION);
  return text + " (" + mpi_library() + ")\nbuilt with " + build;
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

/// The headings of --help and what stands under them, besides "Computing", under which is the rest.
std::vector<std::pair<const char*, std::vector<const char*>>> help_groups() {
  return {{"Files", {"INPUT", "--output", "--output-dir", "--parameters", "--allow"}},
          {"Storage",
           {"--output-type", "--compress", "--checksum", "--hdf5-alignment", "--hdf5-hint",
            "--hdf5-transfer"}},
          {"Memory", {"--chunk", "--memory", "--device-memory"}},
          {"Checking", {"--dry-run", "--verify", "--tolerance", "--check"}},
          {"Running", {"--resume", "--report", "--log-interval", "--quiet"}},
          {"Information", {"--help", "--version"}}};
}

/// "KEY=VALUE"
std::pair<std::string, std::string> hint(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals >= text.size() - 1) {
    throw CLI::ValidationError("--hdf5-hint", "expected KEY=VALUE, found " + text);
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace

std::variant<CommandLine, EarlyExit> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app(
      "Computes y = GroupNorm(activation((conv2d(x) + bias) * scale)) for the images of an HDF5 "
      "file.\n"
      "Runs as it is or under mpirun; ranks share the images.",
      name);
  app.footer(
      "Exit codes:\n"
      "  0  done\n"
      "  1  failed while running: out of memory, a read or write error\n"
      "  2  bad input or usage\n"
      "  3  --verify found a larger error than --tolerance, the output is kept; or --check found "
      "rows without their checksums\n"
      "  4  interrupted by SIGTERM, SIGINT or SIGUSR1; run again with --resume");
  app.option_defaults()->group("Computing");
  app.set_version_flag("--version", version_text(), "Print versions and backends, and exit");

  CLI::Option* const input = app.add_option(
      "INPUT", line.inputs,
      "File with the dataset input (N, Cin, H, W), or several; a name with *, ? or [ "
      "that is no file stands for those that match");
  CLI::Option* const output =
      app.add_option(
             "-o,--output", line.output,
             "File to write; appears under this name only when whole [INPUT with _output.h5 "
             "for .h5]")
          ->type_name("FILE");
  app.add_option("--output-dir", line.output_directory,
                 "Directory to write the outputs of several inputs to, each under its default name")
      ->type_name("DIRECTORY")
      ->excludes(output);
  app.add_option("--parameters", line.parameters,
                 "File with conv.weight and the other parameters; its attributes win over those of "
                 "INPUT [each INPUT]")
      ->type_name("FILE");
  std::vector<std::string> allowed;
  app.add_option(
         "--allow", allowed,
         "other-files: files that are read may have their data in others, by external links, "
         "as virtual or as external datasets; filter-plugins: HDF5 may load filters that "
         "they demand [neither]")
      ->type_name("WHAT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember({other_files, filter_plugins}));
  std::string activation;
  app.add_option(
         "--activation", activation,
         "sigmoid, relu, silu, gelu, gelu_tanh, tanh or identity: that of files without the "
         "attribute activation; a file that tells another is refused [sigmoid]")
      ->type_name("NAME");
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
                     "Compare with the dataset output of this file, or with several inputs of the "
                     "file of the output's name in this directory; the output is kept whatever "
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
  app.add_flag("--resume", line.resume,
               "Go on with what an interrupted run has left in NAME.part; begin where there is "
               "nothing");
  std::string output_type = to_string(line.storage.type);
  app.add_option("--output-type", output_type, "How values are stored [float32]")
      ->type_name("TYPE")
      ->check(CLI::IsMember(hdf5::element_type_names()));
  std::vector<std::string> compression;
  app.add_option("--compress", compression,
                 "Compress the output with gzip (0 to 9) or zstd (1 to 22) when it is whole [not]")
      ->type_name("FILTER LEVEL")
      ->expected(2);
  app.add_flag("--checksum", line.storage.checksums,
               "Store the CRC-32 of each row beside the output, in output_crc32, for --check");
  app.add_option("--hdf5-alignment", line.storage.alignment,
                 "The output's data begins at a multiple of so many bytes [1]")
      ->type_name("BYTES")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::PositiveNumber);
  std::string transfer = to_string(line.transfer);
  app.add_option(
         "--hdf5-transfer", transfer,
         "How outputs are written: independent, by each rank through HDF5; mapped, by threads "
         "that copy to pages of the file, which is not for several nodes; auto, mapped to a tmpfs "
         "that has huge pages, or where a GPU computes and a rank has four processors, else "
         "independent [auto]")
      ->type_name("HOW")
      ->check(CLI::IsMember(transfer_names()));
  std::vector<std::string> hints;
  app.add_option("--hdf5-hint", hints, "Hint to MPI-IO, as often as there are hints")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--check", line.checked,
                 "Compute nothing: compare the rows of these outputs with the checksums that "
                 "--checksum has stored, and stop")
      ->type_name("FILE")
      ->excludes(input);
  app.add_flag("--dry-run", line.dry_run,
               "Check the input, print shapes, partition, algorithm and memory, and stop")
      ->excludes(report);
  app.add_flag("--quiet", line.quiet, "Print nothing but errors");

  for (const auto& [group, options] : help_groups()) {
    for (const char* option : options) app.get_option(option)->group(group);
  }

  try {
    app.parse(argc, argv);
    if (line.inputs.empty() && line.checked.empty()) throw CLI::RequiredError("INPUT");
    line.backend = resolve_backend(line.backend);
    line.storage.type = hdf5::element_type_from_string(output_type);
    line.transfer = transfer_from_string(transfer);
    if (!activation.empty()) line.activation = activation_from_string(activation);
    for (const std::string& what : allowed) {
      (what == other_files ? line.permissions.other_files : line.permissions.filter_plugins) = true;
    }
    for (const std::string& text : hints) line.hints.push_back(hint(text));
    if (!compression.empty()) {
      line.compression = hdf5::compression_from_string(compression[0], compression[1]);
    }
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{done, app.help()};
  } catch (const CLI::CallForVersion& version_asked) {
    return EarlyExit{done, std::string(version_asked.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return EarlyExit{bad_input_or_usage, std::string(name) + ": " + error.what() +
                                             "\nRun with --help for more information.\n"};
  } catch (const InvalidArgument& error) {
    return EarlyExit{bad_input_or_usage, std::string(name) + ": " + error.what() + "\n"};
  }
  return line;
}

}  // namespace fusedconv::app
