// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <Kokkos_Core.hpp>
#include <cstdint>
#include <exception>
#include <fusedconv/error.hpp>
#include <fusedconv/options.hpp>
#include <iostream>
#include <string>

#include "backend.hpp"
#include "bench_report.hpp"
#include "ceilings.hpp"
#include "computation.hpp"
#include "device.hpp"
#include "exit_code.hpp"
#include "layer_timing.hpp"
#include "shape_options.hpp"
#include "version.hpp"

namespace {

using namespace fusedconv;

constexpr const char* name = "fusedconv_bench";

int bench(int argc, char** argv) {
  CLI::App parser(
      "Times the library alone, on data that is in memory already, beside the machine's ceilings.",
      name);
  parser.footer(
      "The floor is the larger of the time that the convolution's operations take at the rate of\n"
      "multiply-adds on registers, and the time that input and output take at the rate of a copy.\n"
      "Both rates are measured in the same run. Tensor cores are held to the copy alone.\n"
      "Exit codes: 0 done, 1 failed while running, 2 bad usage.");
  parser.set_version_flag("--version", std::string(name) + " " + app::version, "Print the version");
  const app::ShapeOptions shape_options(parser);
  std::string backend = "auto";
  parser.add_option("--backend", backend, "auto, or one of the backends in this binary")
      ->capture_default_str()
      ->type_name("NAME");
  std::string algorithm = "auto";
  parser
      .add_option("--algorithm", algorithm,
                  "auto, direct, winograd (CPUs), tensor_core (NVIDIA GPUs) or gemm")
      ->capture_default_str()
      ->type_name("NAME");
  std::string precision{to_string(Precision::fp32)};
  parser
      .add_option("--precision", precision,
                  "fp32, right to float32; or tf32, which leaves to round what is multiplied to 11 "
                  "bits, as TF32 does, where that is faster: on tensor cores")
      ->capture_default_str()
      ->type_name("NAME");
  std::int64_t repetitions = 10;
  parser.add_option("--repeat", repetitions, "Runs to take the median of")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("INT");
  bool with_error = false;
  parser.add_flag("--error", with_error,
                  "Also compute the first image in float64, and tell the relative L2 error to it");
  std::string json;
  parser.add_option("--json", json, "File for the figures")->type_name("FILE");
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parser.exit(error) == 0 ? app::done : app::bad_input_or_usage;
  }

  app::BenchReport report;
  report.shape = shape_options.shape();
  report.shape_name = shape_options.name();
  report.backend = app::resolve_backend(backend);
  report.repetitions = repetitions;
  const Options options{.algorithm = algorithm_from_string(algorithm),
                        .precision = precision_from_string(precision)};
  report.precision = options.precision;

  const Kokkos::ScopeGuard kokkos;
  const app::BackendPlan plan = app::plan_on(report.backend, report.shape, options);
  report.algorithm = plan.algorithm;
  report.plan = plan.description;
  report.processor = app::processor_name(report.backend);
  report.threads = app::host_threads(report.backend);

  // Other users of the machine can only make the ceilings lower: the better of two is nearer.
  const app::Ceilings before = app::measure_ceilings(report.backend);
  report.timing = app::time_layer(report.backend, report.shape, options, repetitions, with_error);
  report.ceilings = app::best_of(before, app::measure_ceilings(report.backend));

  app::print_bench_report(std::cout, report);
  if (!json.empty()) app::write_bench_report(json, report);
  return app::done;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench(argc, argv);
  } catch (const InvalidArgument& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return app::bad_input_or_usage;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return app::failed_while_running;
  }
}
