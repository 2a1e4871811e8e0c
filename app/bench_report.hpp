// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_BENCH_REPORT_HPP
#define FUSEDCONV_APP_BENCH_REPORT_HPP

#include <cstdint>
#include <fusedconv/options.hpp>
#include <fusedconv/shape.hpp>
#include <ostream>
#include <string>

#include "ceilings.hpp"
#include "layer_timing.hpp"

namespace fusedconv::app {

/// What fusedconv_bench measured.
struct BenchReport {
  std::string shape_name;
  Shape shape;
  std::string backend;
  std::string processor;
  int threads = 0;  ///< of the host; 0 for a GPU
  Algorithm algorithm = Algorithm::direct;
  std::string plan;
  Precision precision = Precision::fp32;
  std::int64_t repetitions = 0;
  LayerTiming timing;
  Ceilings ceilings;

  /// Of the layer's runs at the median time.
  double gflops() const;
  /// Bytes of input and output per second at the median time, 10^9.
  double gbs() const;
  /// Seconds that the convolution's operations take at the ceiling.
  double fma_seconds() const;
  /// Seconds that reading the input and writing the output take at the ceiling.
  double copy_seconds() const;
  /// Seconds that the algorithm cannot beat: the larger of both, and those of the copy alone for
  /// tensor cores, which the rate of multiply-adds does not bind.
  double floor_seconds() const;
  double time_over_floor() const;
};

void print_bench_report(std::ostream& out, const BenchReport& report);

/// \throws std::runtime_error if the file cannot be written
void write_bench_report(const std::string& path, const BenchReport& report);

}  // namespace fusedconv::app

#endif
