// SPDX-License-Identifier: Apache-2.0
#include "virtual_sources.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "checked_open.hpp"
#include "stored_data.hpp"

namespace fusedconv::app::hdf5 {

namespace {

namespace fs = std::filesystem;

using NameOf = ssize_t (*)(hid_t, std::size_t, char*, std::size_t);

/// A virtual dataset's mappings, by number.
class Mappings {
 public:
  explicit Mappings(const Dataset& dataset)
      : name_(dataset.name()), properties_(dataset.creation_properties()) {
    check(H5Pget_virtual_count(properties_.id(), &count_), name_, "count its sources");
  }

  std::size_t count() const { return count_; }
  std::string file(std::size_t number) const { return text(H5Pget_virtual_filename, number); }
  std::string dataset(std::size_t number) const { return text(H5Pget_virtual_dsetname, number); }
  /// With the part of the virtual dataset selected.
  Dataspace part(std::size_t number) const {
    return Dataspace(H5Pget_virtual_vspace(properties_.id(), number), name_);
  }
  /// With the part of the source selected.
  Dataspace source_part(std::size_t number) const {
    return Dataspace(H5Pget_virtual_srcspace(properties_.id(), number), name_);
  }

 private:
  std::string text(NameOf name_of, std::size_t number) const {
    const ssize_t length =
        check(name_of(properties_.id(), number, nullptr, 0), name_, "ask for a source");
    std::string text(static_cast<std::size_t>(length) + 1, '\0');
    check(name_of(properties_.id(), number, text.data(), text.size()), name_, "ask for a source");
    text.resize(static_cast<std::size_t>(length));
    return text;
  }

  std::string name_;
  PropertyList properties_;
  std::size_t count_ = 0;
};

/// Where HDF5 finds a source, which is relative to the directories of HDF5_VDS_PREFIX if there are
/// such, else to that of the file that names it. It would go on to look where the job was started:
/// not here.
std::string path_of_source(const std::string& name, const std::string& owner) {
  if (fs::path(name).is_absolute()) return name;
  std::error_code ignored;
  if (const char* prefixes = std::getenv("HDF5_VDS_PREFIX")) {
    std::istringstream list(prefixes);
    for (std::string prefix; std::getline(list, prefix, ':');) {
      if (fs::exists(fs::path(prefix) / name, ignored)) return fs::path(prefix) / name;
    }
  }
  return fs::absolute(owner).parent_path() / name;
}

/// Gathers what mappings cover of a virtual dataset.
class Coverage {
 public:
  explicit Coverage(const Dataset& dataset) : name_(dataset.name()) {}

  void add(Dataspace part) {
    const H5S_sel_type type = check(H5Sget_select_type(part.id()), name_, "ask for a mapping");
    if (type == H5S_SEL_ALL) all_ = true;
    if (type != H5S_SEL_HYPERSLABS) return;
    if (!covered_) {
      covered_.emplace(std::move(part));
    } else {
      check(H5Smodify_select(covered_->id(), H5S_SELECT_OR, part.id()), name_, "join mappings");
    }
  }

  std::int64_t elements() const {
    return covered_ ? check(H5Sget_select_npoints(covered_->id()), name_, "count elements") : 0;
  }
  bool is_all() const { return all_; }

 private:
  std::string name_;
  bool all_ = false;
  std::optional<Dataspace> covered_;
};

std::int64_t elements_of(const Dataspace& selected) {
  return check(H5Sget_select_npoints(selected.id()), selected.name(), "count elements");
}

/// Whether what a mapping takes of its source is there.
/// \param elements that the mapping has in the virtual dataset
/// \param extents  of the source; the file that maps it knows the bounds of a selection alone
bool fits(const Dataspace& part, std::int64_t elements, const std::vector<std::int64_t>& extents) {
  std::vector<hsize_t> first(extents.size());
  std::vector<hsize_t> last(extents.size());
  const H5S_sel_type type = check(H5Sget_select_type(part.id()), part.name(), "ask for a mapping");
  if (type == H5S_SEL_ALL) {
    return elements ==
           std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
  }
  if (type != H5S_SEL_HYPERSLABS || elements_of(part) != elements) return false;
  if (part.extents().size() != extents.size()) return false;
  check(H5Sget_select_bounds(part.id(), first.data(), last.data()), part.name(),
        "ask for the bounds of a mapping");
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    if (last[axis] >= static_cast<hsize_t>(extents[axis])) return false;
  }
  return true;
}

}  // namespace

void require_fixed_sources(const File& file, const Dataset& dataset) {
  const Mappings mappings(dataset);
  const std::string expected = "a virtual dataset of fixed extents with sources that are named";
  for (std::size_t number = 0; number < mappings.count(); ++number) {
    const Dataspace part = mappings.part(number);
    const auto elements = static_cast<hsize_t>(H5Sget_select_npoints(part.id()));
    if (elements == H5S_UNLIMITED) {
      throw InvalidFile(file.name(), dataset.name(), expected, "one whose extents are not limited");
    }
    const std::string names = mappings.file(number) + mappings.dataset(number);
    if (names.find('%') != std::string::npos) {
      throw InvalidFile(file.name(), dataset.name(), expected, "the pattern " + names);
    }
  }
}

std::set<std::string> require_sources(const File& file, const Dataset& dataset) {
  const std::string owner = file_name(dataset);
  const Mappings mappings(dataset);
  std::map<std::pair<std::string, std::string>, std::vector<std::int64_t>> extents_of;
  std::set<std::string> files;
  Coverage coverage(dataset);
  for (std::size_t number = 0; number < mappings.count(); ++number) {
    const std::string name = mappings.file(number);
    const std::string path = name == "." ? owner : path_of_source(name, owner);
    const auto [source, is_new] =
        extents_of.emplace(std::pair(path, mappings.dataset(number)), std::vector<std::int64_t>{});
    if (is_new) {
      const File source_file = open_checked_file(path);
      const Dataset source_dataset =
          open_checked_dataset(source_file, source->first.second, {.other_files = true});
      const PropertyList properties = source_dataset.creation_properties();
      if (H5Pget_layout(properties.id()) == H5D_VIRTUAL) {
        throw InvalidFile(path, source_dataset.name(), "a source with data of its own",
                          "a virtual dataset");
      }
      files.merge(require_stored(source_file, source_dataset));
      files.insert(path);
      source->second = source_dataset.extents();
    }
    if (!fits(mappings.source_part(number), elements_of(mappings.part(number)), source->second)) {
      throw InvalidFile(path, source->first.second,
                        "what " + file.name() + " takes from it as hyperslab",
                        "extents " + extents_text(source->second));
    }
    coverage.add(mappings.part(number));
  }
  const std::int64_t elements =
      check(H5Sget_simple_extent_npoints(dataset.space().id()), dataset.name(), "count elements");
  if (!coverage.is_all() && coverage.elements() < elements) {
    throw InvalidFile(file.name(), dataset.name(),
                      "sources of all " + std::to_string(elements) + " elements, as hyperslabs",
                      "sources of " + std::to_string(coverage.elements()));
  }
  files.erase(file.name());
  return files;
}

}  // namespace fusedconv::app::hdf5
