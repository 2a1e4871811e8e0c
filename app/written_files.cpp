// SPDX-License-Identifier: Apache-2.0
#include "written_files.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <utility>

#include "hdf5/checked_open.hpp"
#include "hdf5/output_file.hpp"
#include "record.hpp"
#include "report.hpp"

namespace fusedconv::app {

namespace {

namespace fs = std::filesystem;

/// Files and what they are for.
class FilesInUse {
 public:
  void add(const std::string& name, const std::string& what) {
    if (name.empty()) return;
    by_path_.emplace(fs::weakly_canonical(name), what);
    struct stat status {};
    if (::stat(name.c_str(), &status) == 0) {
      by_number_.emplace(std::pair(status.st_dev, status.st_ino), what);
    }
  }

  /// \return what a file is for, or nothing
  const std::string* find(const std::string& name) const {
    struct stat status {};
    if (::stat(name.c_str(), &status) == 0) {
      const auto found = by_number_.find({status.st_dev, status.st_ino});
      if (found != by_number_.end()) return &found->second;
    }
    const auto found = by_path_.find(fs::weakly_canonical(name));
    return found == by_path_.end() ? nullptr : &found->second;
  }

 private:
  std::map<fs::path, std::string> by_path_;
  std::map<std::pair<dev_t, ino_t>, std::string> by_number_;
};

void require_other_file(const std::string& written, const FilesInUse& used) {
  if (const std::string* what = used.find(written)) {
    throw hdf5::InvalidFile(written, "file to write", "another file than " + *what,
                            "the same file");
  }
}

void require_writable_place(const std::string& written) {
  const fs::path directory = fs::absolute(written).parent_path();
  if (!fs::is_directory(directory)) {
    throw hdf5::InvalidFile(written, "file to write", "an existing directory to write to",
                            "no directory " + directory.string());
  }
  if (fs::is_directory(written)) {
    throw hdf5::InvalidFile(written, "file to write", "the name of a file", "a directory");
  }
}

}  // namespace

void check_written_files(const CommandLine& line, const std::vector<InputFile>& files) {
  FilesInUse read;
  for (const InputFile& file : files) read.add(file.name, "the input");
  read.add(line.parameters, "the parameters");
  for (const InputFile& file : files) read.add(file.reference, "the reference");

  FilesInUse outputs;
  for (const InputFile& file : files) {
    const std::string unfinished = hdf5::unfinished_name(file.output);
    for (const std::string& name : {file.output, unfinished, record_name(unfinished)}) {
      require_other_file(name, read);
      require_writable_place(name);
    }
    outputs.add(file.output, "the output");
    outputs.add(unfinished, "the unfinished output");
    outputs.add(record_name(unfinished), "the record of what is complete");
  }
  if (line.report.empty()) return;
  for (const std::string& name : {line.report, unfinished_report_name(line.report)}) {
    require_other_file(name, outputs);
    require_other_file(name, read);
    require_writable_place(name);
  }
}

}  // namespace fusedconv::app
