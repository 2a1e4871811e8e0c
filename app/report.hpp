// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_REPORT_HPP
#define FUSEDCONV_APP_REPORT_HPP

#include <cstdint>
#include <fusedconv/shape.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "communicator.hpp"
#include "memory.hpp"
#include "partition.hpp"
#include "verify.hpp"

namespace fusedconv::app {

/// Seconds that a rank spent; of a job, the most that any rank spent.
struct Seconds {
  double read = 0;
  double transfer = 0;         ///< to and from a device's own memory
  double compute = 0;          ///< sum over pieces of the median of the repetitions
  double compute_minimum = 0;  ///< sum over pieces of the minimum of the repetitions
  double write = 0;
  double pipeline = 0;    ///< from the first read to the last write
  double overlapped = 0;  ///< by how much the pipeline took less than what it did, one by one
};

/// Where a rank computes what.
struct RankReport {
  std::string host;
  std::string processor;
  int device = -1;  ///< number of the GPU on its node; -1 for the host
  int threads = 0;  ///< of a host backend
  ImageRange images;
  RowRange rows;                       ///< of their output
  std::int64_t peak_memory_bytes = 0;  ///< resident on the host, of the whole process
  Seconds seconds;
};

/// One input with its output.
struct FileReport {
  std::string input;
  std::int64_t input_file_bytes = 0;
  std::int64_t images = 0;
  std::string output;
  std::string reference;  ///< empty: nothing to verify
  std::optional<Deviation> deviation;
};

/// Files of one layer.
struct JobReport {
  std::vector<FileReport> files;         ///< at least one
  std::int64_t input_element_bytes = 0;  ///< of the first file
  std::int64_t output_element_bytes = 0;
  std::string parameters;
  Shape shape;                       ///< `batch` is the number of images of all files
  std::int64_t computed_images = 0;  ///< less than that where some were complete before
  std::string backend;
  std::string precision;
  std::string algorithm;
  std::string plan;  ///< algorithm and tile, in words
  Cut cut;
  MemoryBytes memory_limit;     ///< that pieces are sized for
  std::int64_t read_bytes = 0;  ///< halos and second sweeps included
  std::int64_t written_bytes = 0;
  std::int64_t repeat = 1;
  MemoryBytes memory;       ///< that a rank takes for its pieces
  MemoryBytes free_memory;  ///< of rank 0's node and device, before the job took any
  std::vector<RankReport> ranks;
  Seconds seconds;
  double total_seconds = 0;
  std::string start_time;  ///< ISO 8601
  std::string end_time;
  double tolerance = 0;
};

/// The reports of all ranks, in their order, on rank 0; nothing elsewhere.
std::vector<RankReport> gather(const Communicator& communicator, const RankReport& report);

/// The processors of some ranks, each model once.
std::string processors(const std::vector<RankReport>& ranks);

/// What will be done: shapes, partition, algorithm, memory.
void print_plan(std::ostream& out, const JobReport& report);

/// What was done, and how fast.
void print_report(std::ostream& out, const JobReport& report);

/// A sentence for each output that is too far from its reference.
std::vector<std::string> verification_failures(const JobReport& report);

/// Where a report is written before it gets its name.
std::string unfinished_report_name(const std::string& name);

/// What was done, and how fast, as JSON: one job of one file by itself, else {"jobs": [...]}. A
/// file that was there stays until this one is whole. \throws std::runtime_error if the file cannot
/// be written
void write_report(const std::string& path, const std::vector<JobReport>& reports);

/// The time now, in UTC: "2025-01-31T23:59:59Z".
std::string time_text();

}  // namespace fusedconv::app

#endif
