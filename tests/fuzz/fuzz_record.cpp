// SPDX-License-Identifier: Apache-2.0
//
// The record of what is complete, which a resumed run reads: any bytes, and entries that are valid
// but for what they say.

#include <fuzzer/FuzzedDataProvider.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "missing_rows.hpp"
#include "record.hpp"

namespace {

namespace app = fusedconv::app;

/// In memory, and gone at the end of the process.
struct Files {
  Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  ~Files() {
    std::filesystem::remove(record);
    std::filesystem::remove(data);
  }

  std::string record = "/dev/shm/fusedconv_fuzz." + std::to_string(::getpid()) + ".record";
  std::string data = record + ".data";
};

const Files& files() {
  static const Files only;
  return only;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "fuzz_record: %s\n", what);
  std::abort();
}

/// Something is missing or nothing is, but nothing that the output does not have.
void check_missing(const app::Record& record) {
  constexpr std::int64_t images = 5;
  constexpr std::int64_t rows = 7;
  const std::vector<app::hdf5::Region> missing = app::missing_rows(images, rows, record.complete);
  for (const app::hdf5::Region& part : missing) {
    const bool inside = part.first_image >= 0 && part.images > 0 && part.first_row >= 0 &&
                        part.rows > 0 && part.first_image + part.images <= images &&
                        part.first_row + part.rows <= rows;
    if (!inside) fail("missing rows that there are not");
  }
  const std::int64_t complete = app::complete_images(images, missing);
  if (complete < 0 || complete > images) fail("complete images that there are not");
}

void read() {
  try {
    check_missing(app::read_record(files().record));
  } catch (const std::runtime_error&) {
    // No record.
  }
}

std::int64_t number(FuzzedDataProvider& decisions) {
  return decisions.ConsumeBool() ? decisions.ConsumeIntegralInRange<std::int64_t>(-2, 9)
                                 : decisions.ConsumeIntegral<std::int64_t>();
}

/// A record as it is written, of what cannot be.
void write_valid(FuzzedDataProvider& decisions) {
  std::ofstream(files().data) << "data";
  app::create_record(files().record, {{decisions.ConsumeRandomLengthString(20), "value"}},
                     decisions.ConsumeIntegral<std::int64_t>());
  app::RecordWriter writer(files().record, files().data, app::read_record(files().record).end, 0,
                           1);
  for (int entry = decisions.ConsumeIntegralInRange(0, 8); entry > 0; --entry) {
    writer.add({number(decisions), number(decisions), number(decisions), number(decisions)});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider decisions(bytes, size);
  if (decisions.ConsumeBool()) {
    write_valid(decisions);
  } else {
    const std::string content = decisions.ConsumeRemainingBytesAsString();
    std::ofstream(files().record, std::ios::binary | std::ios::trunc) << content;
  }
  read();
  return 0;
}
