// SPDX-License-Identifier: Apache-2.0
#include "bench_report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "shape_json.hpp"
#include "version.hpp"

namespace fusedconv::app {

namespace {

double bytes(const BenchReport& report) {
  return static_cast<double>(report.shape.input_size() + report.shape.output_size()) *
         static_cast<double>(sizeof(float));
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 120> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string milliseconds(double seconds) { return format("%12.3f ms", seconds * 1e3); }

}  // namespace

double BenchReport::gflops() const { return shape.flops() / timing.median * 1e-9; }

double BenchReport::gbs() const { return bytes(*this) / timing.median * 1e-9; }

double BenchReport::fma_seconds() const { return shape.flops() / ceilings.fma_gflops * 1e-9; }

double BenchReport::copy_seconds() const { return bytes(*this) / ceilings.copy_gbs * 1e-9; }

double BenchReport::floor_seconds() const {
  return algorithm == Algorithm::tensor_core ? copy_seconds()
                                             : std::max(fma_seconds(), copy_seconds());
}

double BenchReport::time_over_floor() const { return timing.median / floor_seconds(); }

void print_bench_report(std::ostream& out, const BenchReport& report) {
  const LayerTiming& timing = report.timing;
  const Ceilings& ceilings = report.ceilings;
  const auto share = [](double part, double whole) {
    return format("%.0f %%", 100 * part / whole);
  };

  out << "shape      " << report.shape_name << ": " << to_string(report.shape) << '\n'
      << "backend    " << report.backend;
  if (report.threads > 0) {
    out << ", " << report.threads << (report.threads == 1 ? " thread" : " threads");
  }
  out << ", " << report.processor << '\n'
      << "algorithm  " << report.plan << ", " << to_string(report.precision) << '\n'
      << "median   " << milliseconds(timing.median)
      << format("   %.1f images/s", static_cast<double>(report.shape.batch) / timing.median) << '\n'
      << "minimum  " << milliseconds(timing.minimum) << "   of " << report.repetitions
      << (report.repetitions == 1 ? " run\n" : " runs\n") << "maximum  "
      << milliseconds(timing.maximum) << '\n'
      << "compute  " << format("%12.1f GFLOP/s   ", report.gflops())
      << share(report.gflops(), ceilings.fma_gflops)
      << format(" of the %.1f GFLOP/s of multiply-adds on registers\n", ceilings.fma_gflops)
      << "memory   " << format("%12.1f GB/s      ", report.gbs())
      << share(report.gbs(), ceilings.copy_gbs)
      << format(" of the %.1f GB/s of a copy\n", ceilings.copy_gbs) << "floor    "
      << milliseconds(report.floor_seconds()) << "   multiply-adds"
      << milliseconds(report.fma_seconds()) << ", copy" << milliseconds(report.copy_seconds())
      << '\n'
      << "time/floor " << format("%10.2f", report.time_over_floor()) << '\n';
  if (timing.relative_l2_error) {
    out << "error    " << format("%12.2e", *timing.relative_l2_error)
        << "      relative L2, of the first image to float64\n";
  }
  out << std::flush;
}

void write_bench_report(const std::string& path, const BenchReport& report) {
  nlohmann::ordered_json document{{"version", version},
                                  {"commit", commit},
                                  {"shape", report.shape_name},
                                  {"n", report.shape.batch},
                                  {"sizes", shape_json(report.shape)},
                                  {"backend", report.backend},
                                  {"processor", report.processor},
                                  {"threads", report.threads},
                                  {"algorithm", to_string(report.algorithm)},
                                  {"precision", to_string(report.precision)},
                                  {"median_ms", report.timing.median * 1e3},
                                  {"min_ms", report.timing.minimum * 1e3},
                                  {"max_ms", report.timing.maximum * 1e3},
                                  {"gflops", report.gflops()},
                                  {"fma_gflops", report.ceilings.fma_gflops},
                                  {"copy_gbs", report.ceilings.copy_gbs},
                                  {"floor_ms", report.floor_seconds() * 1e3},
                                  {"time_over_floor", report.time_over_floor()}};
  if (report.timing.relative_l2_error) {
    document["relative_l2_error"] = *report.timing.relative_l2_error;
  }
  std::ofstream file(path);
  file << document.dump(2) << '\n' << std::flush;
  if (!file) throw std::runtime_error(path + ": could not write the JSON report");
}

}  // namespace fusedconv::app
