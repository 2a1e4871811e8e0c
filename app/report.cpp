// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "shape_json.hpp"
#include "version.hpp"

namespace fusedconv {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RowRange, first, count)

}  // namespace fusedconv

namespace fusedconv::app {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ImageRange, first, count)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MemoryBytes, host, device)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Cut, images, by_rows, rows, alignment)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Seconds, read, transfer, compute, compute_minimum, write,
                                   pipeline, overlapped)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankReport, host, processor, device, threads, images, rows,
                                   peak_memory_bytes, seconds)

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Of what was computed.
Shape computed_shape(const JobReport& report) {
  return report.shape.with_batch(report.computed_images);
}

std::int64_t output_bytes(const JobReport& report, const FileReport& file) {
  return report.shape.with_batch(file.images).output_size() * report.output_element_bytes;
}

/// 0 where nothing was timed.
double rate(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

double images_per_second(const JobReport& report) {
  return rate(static_cast<double>(report.computed_images), report.total_seconds);
}

double gflops(const JobReport& report) {
  return rate(computed_shape(report).flops(), report.seconds.compute) * 1e-9;
}

double gigabytes_per_second(std::int64_t bytes, double seconds) {
  return rate(static_cast<double>(bytes), seconds) * 1e-9;
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string place(const RankReport& rank) {
  if (rank.device >= 0) return "GPU " + std::to_string(rank.device) + ", " + rank.processor;
  return format("%d thread%s, ", rank.threads, rank.threads == 1 ? "" : "s") + rank.processor;
}

/// "image 3", "rows 0 to 41": the things from first on, or none of them.
std::string range_text(const std::string& thing, std::int64_t first, std::int64_t count) {
  if (count == 0) return "no " + thing + "s";
  if (count == 1) return thing + " " + std::to_string(first);
  return thing + "s " + std::to_string(first) + " to " + std::to_string(first + count - 1);
}

std::string share_text(const JobReport& report, const RankReport& rank) {
  std::string images = range_text("image", rank.images.first, rank.images.count);
  if (!report.cut.by_rows) return images;
  return range_text("row", rank.rows.first, rank.rows.count) + " of " + images;
}

std::string piece_text(const JobReport& report) {
  const Cut& cut = report.cut;
  const std::int64_t count = cut.by_rows ? cut.rows : cut.images;
  std::string text = "at most " + std::to_string(count) + (cut.by_rows ? " row" : " image") +
                     (count == 1 ? "" : "s") + " at a time each";
  if (!cut.by_rows) return text;
  const bool two_sweeps =
      std::any_of(report.ranks.begin(), report.ranks.end(),
                  [&](const RankReport& rank) { return rank.rows.count > cut.rows; });
  return text + (two_sweeps ? ", in two sweeps" : "");
}

void print_heading(std::ostream& out, const JobReport& report) {
  out << "fusedconv_app " << version << " (" << commit << ")\n";
  for (const FileReport& file : report.files) {
    out << "input      " << file.input << " (" << bytes_text(file.input_file_bytes) << ")\n";
  }
  if (!report.parameters.empty()) out << "parameters " << report.parameters << '\n';
  out << "shape      " << to_string(report.shape) << '\n'
      << "backend    " << report.backend << ", " << report.precision << '\n'
      << "algorithm  " << report.plan << '\n'
      << "ranks      " << report.ranks.size() << ", " << piece_text(report) << '\n';
  for (std::size_t rank = 0; rank < report.ranks.size(); ++rank) {
    const RankReport& at = report.ranks[rank];
    out << format("%5zu", rank) << "      " << share_text(report, at) << " on " << at.host << ": "
        << place(at) << '\n';
  }
}

std::int64_t most_resident(const JobReport& report) {
  std::int64_t most = 0;
  for (const RankReport& rank : report.ranks) most = std::max(most, rank.peak_memory_bytes);
  return most;
}

void print_seconds(std::ostream& out, const char* what, double seconds, const std::string& rates) {
  out << format("%-10s %9.3f s  ", what, seconds) << rates << '\n';
}

std::string deviation_text(const Deviation& deviation) {
  std::string text =
      format("relative L2 error %.3g, maximum error %.3g at (%lld, %lld, %lld, %lld)",
             deviation.relative_l2, deviation.maximum, static_cast<long long>(deviation.at[0]),
             static_cast<long long>(deviation.at[1]), static_cast<long long>(deviation.at[2]),
             static_cast<long long>(deviation.at[3]));
  if (deviation.unlike_nonfinite > 0) {
    text += ", " + std::to_string(deviation.unlike_nonfinite) +
            " elements NaN or infinite where the other is not";
  }
  return text;
}

void print_outputs(std::ostream& out, const JobReport& report) {
  for (const FileReport& file : report.files) {
    if (file.deviation) {
      out << "verify     " << (file.deviation->passes(report.tolerance) ? "passed" : "FAILED")
          << format(" (tolerance %g): ", report.tolerance) << deviation_text(*file.deviation)
          << '\n';
    }
    out << "output     " << file.output << " (" << bytes_text(output_bytes(report, file)) << ")\n";
  }
  out << std::flush;
}

json json_of(const FileReport& file, const JobReport& report) {
  json document{{"input", file.input},
                {"input_file_bytes", file.input_file_bytes},
                {"parameters", report.parameters.empty() ? file.input : report.parameters},
                {"output", file.output}};
  if (file.deviation) {
    document["verification"] = {{"reference", file.reference},
                                {"relative_l2", file.deviation->relative_l2},
                                {"maximum", file.deviation->maximum},
                                {"at", file.deviation->at},
                                {"unlike_nonfinite", file.deviation->unlike_nonfinite},
                                {"tolerance", report.tolerance},
                                {"passed", file.deviation->passes(report.tolerance)}};
  }
  return document;
}

json json_of(const JobReport& report) {
  json seconds = report.seconds;
  seconds["total"] = report.total_seconds;
  json document{{"version", version},
                {"commit", commit},
                {"shape", shape_json(report.shape)},
                {"backend", report.backend},
                {"precision", report.precision},
                {"computed_images", report.computed_images},
                {"algorithm", report.algorithm},
                {"plan", report.plan},
                {"chunk", report.cut.images},
                {"piece", report.cut},
                {"repeat", report.repeat},
                {"memory_bytes", report.memory},
                {"memory_limit_bytes", report.memory_limit},
                {"ranks", report.ranks},
                {"start_time", report.start_time},
                {"end_time", report.end_time},
                {"seconds", seconds},
                {"read_bytes", report.read_bytes},
                {"written_bytes", report.written_bytes},
                {"images_per_second", images_per_second(report)},
                {"gflops", gflops(report)},
                {"read_gbs", gigabytes_per_second(report.read_bytes, report.seconds.read)},
                {"write_gbs", gigabytes_per_second(report.written_bytes, report.seconds.write)}};
  if (report.files.size() == 1) {
    document.update(json_of(report.files.front(), report));
    return document;
  }
  for (const FileReport& file : report.files) {
    json entry = json_of(file, report);
    entry["images"] = file.images;
    document["files"].push_back(entry);
  }
  return document;
}

}  // namespace

std::vector<RankReport> gather(const Communicator& communicator, const RankReport& report) {
  // A host's or a processor's name need not be UTF-8.
  const std::string text = json(report).dump(-1, ' ', false, json::error_handler_t::replace);
  std::vector<RankReport> reports;
  for (const std::string& rank : communicator.gather(text)) {
    reports.push_back(json::parse(rank).get<RankReport>());
  }
  return reports;
}

std::string processors(const std::vector<RankReport>& ranks) {
  std::vector<std::string> models;
  for (const RankReport& rank : ranks) {
    if (std::find(models.begin(), models.end(), rank.processor) == models.end()) {
      models.push_back(rank.processor);
    }
  }
  std::string text;
  for (const std::string& model : models) text += (text.empty() ? "" : ", ") + model;
  return text;
}

void print_plan(std::ostream& out, const JobReport& report) {
  print_heading(out, report);
  out << "memory     " << bytes_text(report.memory.host) << " of host memory a rank, "
      << bytes_text(report.memory_limit.host) << " allowed, " << bytes_text(report.free_memory.host)
      << " free\n";
  if (report.memory.device > 0) {
    out << "           " << bytes_text(report.memory.device) << " of device memory a rank, "
        << bytes_text(report.memory_limit.device) << " allowed, "
        << bytes_text(report.free_memory.device) << " free\n";
  }
  print_outputs(out, report);
  out << "dry run: nothing was computed or written\n" << std::flush;
}

void print_report(std::ostream& out, const JobReport& report) {
  const Seconds& seconds = report.seconds;
  print_heading(out, report);
  print_seconds(out, "read", seconds.read,
                format("%.2f GB/s", gigabytes_per_second(report.read_bytes, seconds.read)));
  if (seconds.transfer > 0) {
    const Shape shape = computed_shape(report);
    const std::int64_t bytes =
        (shape.input_size() + shape.output_size()) * static_cast<std::int64_t>(sizeof(float));
    print_seconds(out, "transfer", seconds.transfer,
                  format("%.2f GB/s", gigabytes_per_second(bytes, seconds.transfer)));
  }
  std::string compute = format("%.1f GFLOP/s", gflops(report));
  if (report.repeat > 1) {
    compute += format(", median of %lld, minimum %.3f s", static_cast<long long>(report.repeat),
                      seconds.compute_minimum);
  }
  print_seconds(out, "compute", seconds.compute, compute);
  print_seconds(out, "write", seconds.write,
                format("%.2f GB/s", gigabytes_per_second(report.written_bytes, seconds.write)));
  print_seconds(
      out, "overlapped", seconds.overlapped,
      format("of these, in %.3f s from the first read to the last write", seconds.pipeline));
  print_seconds(
      out, "total", report.total_seconds,
      format("%.1f images/s, %.2f GB/s read and written", images_per_second(report),
             gigabytes_per_second(report.read_bytes + report.written_bytes, report.total_seconds)));
  if (const std::int64_t peak = most_resident(report); peak > 0) {
    out << "memory     " << bytes_text(peak) << " of a rank resident at most, "
        << bytes_text(report.memory.host) << " of them for pieces\n";
  }
  print_outputs(out, report);
}

std::vector<std::string> verification_failures(const JobReport& report) {
  std::vector<std::string> sentences;
  for (const FileReport& file : report.files) {
    if (!file.deviation || file.deviation->passes(report.tolerance)) continue;
    sentences.push_back(file.output + ": output: expected a relative L2 error to " +
                        file.reference + format(" of at most %g, found ", report.tolerance) +
                        deviation_text(*file.deviation));
  }
  return sentences;
}

std::string unfinished_report_name(const std::string& name) { return name + ".part"; }

void write_report(const std::string& path, const std::vector<JobReport>& reports) {
  json document;
  if (reports.size() == 1 && reports.front().files.size() == 1) {
    document = json_of(reports.front());
  } else {
    for (const JobReport& report : reports) document["jobs"].push_back(json_of(report));
  }
  // Through links, and into what is no file (/dev/stdout) without another one.
  const fs::path place = fs::weakly_canonical(path);
  const bool is_file = !fs::exists(place) || fs::is_regular_file(place);
  const fs::path written = is_file ? unfinished_report_name(place) : place.string();
  std::ofstream file(written);
  file << document.dump(2, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
  file.close();
  if (!file) {
    std::error_code ignored;
    if (is_file) fs::remove(written, ignored);
    throw std::runtime_error(path + ": could not write the report");
  }
  if (is_file) fs::rename(written, place);
}

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm fields{};
  gmtime_r(&now, &fields);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text.data();
}

}  // namespace fusedconv::app
