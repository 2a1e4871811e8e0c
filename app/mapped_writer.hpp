// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_MAPPED_WRITER_HPP
#define FUSEDCONV_APP_MAPPED_WRITER_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hdf5/element_type.hpp"
#include "hdf5/images.hpp"

namespace fusedconv::app {

/// Writes to a contiguous dataset (N, C, H, W) past HDF5: threads let the kernel allocate pages of
/// the mapped file, copy, and let go of them, so that they do not count as the process's memory.
/// Unlike write() this takes no lock of the file, and so is done by all threads and ranks at once.
/// Nor are mappings made and removed meanwhile, for which threads of a process wait for each other:
/// 8 threads copied 5.0 GB/s to a tmpfs so, and 3.1 GB/s where each mapped 1 MiB at a time (32
/// processors, Linux 6.18); write() took 2.4 GB/s. What is left is presumably a lock of the file's
/// pages, once for each: huge ones, where the file system has them, are another few times faster.
///
/// Ranks may do so from one node alone: pages are shared by neighbours.
class MappedWriter {
 public:
  /// \param address byte of the file at which the dataset begins
  /// \throws std::system_error naming the file
  MappedWriter(const std::string& path, std::int64_t address,
               const std::vector<std::int64_t>& extents, hdf5::ElementType type, int threads);
  MappedWriter(const MappedWriter&) = delete;
  MappedWriter& operator=(const MappedWriter&) = delete;
  ~MappedWriter();

  /// Writes a region, from contiguous memory.
  /// \return false where that cannot be, because the file system is full, the file was not
  ///         mapped or the kernel does not know how (Linux before 5.14): parts of the region are
  ///         written then, perhaps
  bool write(const hdf5::Region& region, const float* values) const;

 private:
  /// Consecutive elements, that begin in one huge page of the file.
  struct Part {
    std::int64_t first = 0;   ///< in the dataset
    std::int64_t offset = 0;  ///< in memory
    std::int64_t count = 0;
  };

  std::vector<Part> parts_of(const hdf5::Region& region) const;
  bool copy(const Part& part, const float* values) const;

  int file_ = -1;
  std::byte* data_ = nullptr;  ///< the dataset's; null where it cannot be mapped
  std::size_t mapped_bytes_ = 0;
  std::int64_t address_;
  std::vector<std::int64_t> extents_;
  hdf5::ElementType type_;
  int threads_;
};

}  // namespace fusedconv::app

#endif
