// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_RESUMABLE_OUTPUT_HPP
#define FUSEDCONV_APP_RESUMABLE_OUTPUT_HPP

#include <cstdint>
#include <functional>
#include <fusedconv/shape.hpp>
#include <optional>
#include <string>
#include <vector>

#include "communicator.hpp"
#include "hdf5/compression.hpp"
#include "hdf5/images.hpp"
#include "hdf5/output_file.hpp"
#include "mapped_writer.hpp"
#include "record.hpp"
#include "transfer.hpp"

namespace fusedconv::app {

/// What there is of an output before a run.
struct FoundOutput {
  bool complete = false;    ///< this very output is there under its name
  bool unfinished = false;  ///< NAME.part is to be gone on with
  std::int64_t record_end = 0;
  std::vector<hdf5::Region> missing;  ///< what is to be computed, in order
};

/// Looks for NAME and NAME.part. Called by one rank.
/// \param resume whether to go on with what there is
/// \throws hdf5::InvalidFile if NAME.part is of another input or of other options, or if rows are
///         complete in it and it is not to be resumed: hours of work are not lost for want of an
///         option
FoundOutput look_for_output(const std::string& name, const Shape& shape,
                            const hdf5::Storage& storage, const Fingerprint& fingerprint,
                            bool resume);

/// An output that can be left at any moment, and gone on with by other ranks later: NAME.part and
/// its record until it is whole, then NAME.
///
/// The functions that are called by all ranks of the communicator are so by the thread that calls
/// HDF5 and MPI.
class ResumableOutput {
 public:
  /// \param communicator ranks that write together, which outlives this object
  ResumableOutput(const Communicator& communicator, const std::string& name, const Shape& shape,
                  const hdf5::Storage& storage, const hdf5::Hints& hints, const Writing& writing,
                  const Fingerprint& fingerprint);

  /// Called by all ranks.
  /// \param found what look_for_output() has found, on rank 0
  void open(const FoundOutput& found);
  /// Writes a region, from contiguous memory.
  void write(const hdf5::Region& region, const float* values);
  /// Enters a region that has been written into the record, when it is on disk.
  void enter(const hdf5::Region& region);
  /// Leaves it as it is. Called by all ranks.
  void close();
  /// Gives the output its name when everything has been entered and closed. Called by all ranks.
  /// \param stop asked now and then by all ranks together
  /// \return false if it stopped: compression begins anew when the output is gone on with
  bool finish(const hdf5::Provenance& provenance, const hdf5::Compression& compression,
              const std::function<bool()>& stop);
  /// After a failure on this rank, while others may go on: removes NAME.part and its record if no
  /// rows are complete in it. They stay while other ranks may be about to open them, which would
  /// tell of files that are not there; any run may begin them anew.
  /// \return whether it can be gone on with
  bool keep_what_is_complete() noexcept;

  const std::string& name() const { return name_; }

 private:
  /// \return the end of a new record
  std::int64_t create() const;
  bool compress(const hdf5::Provenance& provenance, const hdf5::Compression& compression,
                const std::function<bool()>& stop);

  const Communicator& communicator_;
  std::string name_;
  std::string unfinished_name_;
  std::string record_name_;
  Shape shape_;
  hdf5::Storage storage_;
  hdf5::Hints hints_;
  Writing writing_;
  Fingerprint fingerprint_;
  std::optional<hdf5::OutputFile> file_;
  std::optional<MappedWriter> mapped_;
  std::optional<RecordWriter> record_;
  bool others_have_opened_;  ///< the files: they need their names no more
};

/// Removes NAME.part and its record, as far as there are such.
void remove_unfinished(const std::string& name) noexcept;

}  // namespace fusedconv::app

#endif
