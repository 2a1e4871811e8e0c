// SPDX-License-Identifier: Apache-2.0
#include "handle.hpp"

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

namespace fusedconv::app::hdf5 {

namespace {

/// H5Ewalk2 visits the innermost entry of the stack first.
herr_t keep_first(unsigned depth, const H5E_error2_t* entry, void* innermost) {
  if (depth != 0) return 0;
  auto& reason = *static_cast<Reason*>(innermost);
  if (entry->desc != nullptr) reason.text = entry->desc;
  reason.is_of_system = entry->maj_num == H5E_IO &&
                        (entry->min_num == H5E_READERROR || entry->min_num == H5E_WRITEERROR);
  return 0;
}

Reason innermost_reason() {
  Reason reason;
  if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &reason) < 0 || reason.text.empty()) {
    return {"HDF5 says nothing more", false};
  }
  // Some have lines.
  std::erase(reason.text, '\n');
  return reason;
}

std::vector<hsize_t> to_hsize(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

/// Nothing that the application reads is longer, whatever a file declares.
constexpr std::size_t longest_string = std::size_t{1} << 16;

bool is_of_variable_length(const Datatype& type) {
  return check(H5Tis_variable_str(type.id()), type.name(), "ask for the kind of string") > 0;
}

void require_class(const Attribute& attribute, H5T_class_t expected, const std::string& what) {
  if (attribute.type().type_class() != expected) {
    throw Error(attribute.name(), "read the attribute", "it is not " + what);
  }
}

bool has_one_value(const Handle& owner, const std::string& name, H5T_class_t type_class) {
  if (!Attribute::exists(owner, name)) return false;
  const Attribute attribute = Attribute::open(owner, name);
  const hssize_t count =
      check(H5Sget_simple_extent_npoints(attribute.space().id()), name, "count its values");
  return count == 1 && attribute.type().type_class() == type_class;
}

void remove_attribute(const Handle& owner, const std::string& name) {
  if (!Attribute::exists(owner, name)) return;
  check(H5Adelete(owner.id(), name.c_str()), name, "delete the attribute");
}

}  // namespace

Error::Error(const std::string& object, const std::string& action)
    : Error(object, action, innermost_reason()) {}

Error::Error(const std::string& object, const std::string& action, const std::string& reason)
    : Error(object, action, Reason{reason}) {}

Error::Error(const std::string& object, const std::string& action, const Reason& reason)
    : std::runtime_error(object + ": could not " + action + ": " + reason.text),
      object_(object),
      action_(action),
      reason_(reason) {}

Error Error::in_file(const std::string& file) const {
  return Error(object_ == file ? file : file + ": " + object_, action_, reason_);
}

void silence_automatic_printing() {
  check(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "HDF5", "silence its error printing");
}

Handle::Handle(hid_t id, std::string name, const char* action, Close close, bool shared)
    : id_(check(id, name, action)), name_(std::move(name)), close_(close), is_shared_(shared) {}

Handle::Handle(Handle&& other) noexcept
    : id_(std::exchange(other.id_, H5I_INVALID_HID)),
      name_(std::move(other.name_)),
      close_(other.close_),
      is_shared_(other.is_shared_) {}

Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(name_, other.name_);
  std::swap(close_, other.close_);
  std::swap(is_shared_, other.is_shared_);
  return *this;
}

Handle::~Handle() {
  if (id_ < 0 || (is_shared_ && std::uncaught_exceptions() > 0)) return;
  static_cast<void>(close_(id_));
}

void Handle::close() {
  if (id_ >= 0) check(close_(std::exchange(id_, H5I_INVALID_HID)), name_, "close");
}

PropertyList::PropertyList(hid_t property_class)
    : Handle(H5Pcreate(property_class), "property list", "create", H5Pclose) {}

PropertyList::PropertyList(hid_t id, const std::string& name)
    : Handle(id, name, "get its properties", H5Pclose) {}

File File::open_read_only(const std::string& path, hid_t access) {
  silence_automatic_printing();
  return File(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), path, "open", H5Fclose);
}

File File::open_read_write(const std::string& path, hid_t access) {
  silence_automatic_printing();
  return File(H5Fopen(path.c_str(), H5F_ACC_RDWR, access), path, "open for writing", H5Fclose);
}

File File::create(const std::string& path, hid_t access) {
  silence_automatic_printing();
  return File(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), path, "create",
              H5Fclose);
}

File File::open_together(const std::string& path, hid_t access) {
  silence_automatic_printing();
  return File(H5Fopen(path.c_str(), H5F_ACC_RDWR, access), path, "open for writing", H5Fclose,
              true);
}

File File::create_together(const std::string& path, hid_t access) {
  silence_automatic_printing();
  return File(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), path, "create", H5Fclose,
              true);
}

void File::flush() { check(H5Fflush(id(), H5F_SCOPE_GLOBAL), name(), "flush"); }

Dataspace::Dataspace(hid_t id, const std::string& name)
    : Handle(id, name, "make its dataspace", H5Sclose) {}

Dataspace Dataspace::scalar() { return Dataspace(H5Screate(H5S_SCALAR), "scalar dataspace"); }

Dataspace Dataspace::simple(const std::vector<std::int64_t>& extents) {
  const std::vector<hsize_t> sizes = to_hsize(extents);
  return Dataspace(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr),
                   "dataspace");
}

H5S_class_t Dataspace::extent_class() const {
  return check(H5Sget_simple_extent_type(id()), name(), "ask for the kind of dataspace");
}

std::vector<std::int64_t> Dataspace::extents() const {
  const int rank = check(H5Sget_simple_extent_ndims(id()), name(), "ask for the rank");
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(id(), sizes.data(), nullptr), name(), "ask for the extents");
  constexpr hsize_t most = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> extents;
  extents.reserve(sizes.size());
  for (const hsize_t size : sizes)
    extents.push_back(static_cast<std::int64_t>(std::min(size, most)));
  return extents;
}

void Dataspace::select_hyperslab(const std::vector<std::int64_t>& start,
                                 const std::vector<std::int64_t>& count) {
  const std::vector<hsize_t> first = to_hsize(start);
  const std::vector<hsize_t> sizes = to_hsize(count);
  check(H5Sselect_hyperslab(id(), H5S_SELECT_SET, first.data(), nullptr, sizes.data(), nullptr),
        name(), "select a hyperslab");
}

void Dataspace::select_none() { check(H5Sselect_none(id()), name(), "select nothing"); }

Datatype::Datatype(hid_t id, const std::string& name)
    : Handle(id, name, "make its datatype", H5Tclose) {}

Datatype Datatype::fixed_string(std::size_t length) {
  Datatype type(H5Tcopy(H5T_C_S1), "string datatype");
  check(H5Tset_size(type.id(), length), type.name(), "set the length");
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), type.name(), "set the character set");
  return type;
}

H5T_class_t Datatype::type_class() const {
  return check(H5Tget_class(id()), name(), "ask for the class of datatype");
}

std::size_t Datatype::size() const {
  const std::size_t bytes = H5Tget_size(id());
  if (bytes == 0) throw Error(name(), "ask for the size of an element");
  return bytes;
}

bool Datatype::is(hid_t other) const {
  return check(H5Tequal(id(), other), name(), "compare its datatype") > 0;
}

Object Object::open(const File& file, const std::string& name, hid_t access) {
  return Object(H5Oopen(file.id(), name.c_str(), access), name, "open the object", H5Oclose);
}

H5I_type_t Object::kind() const { return check(H5Iget_type(id()), name(), "ask what it is"); }

Dataset Dataset::open(const File& file, const std::string& name, hid_t access) {
  return Dataset(H5Dopen2(file.id(), name.c_str(), access), name, "open the dataset", H5Dclose,
                 file.is_shared());
}

Dataset Dataset::create(const File& file, const std::string& name, hid_t file_type,
                        const Dataspace& space, hid_t creation) {
  return Dataset(H5Dcreate2(file.id(), name.c_str(), file_type, space.id(), H5P_DEFAULT, creation,
                            H5P_DEFAULT),
                 name, "create the dataset", H5Dclose, file.is_shared());
}

Dataspace Dataset::space() const { return Dataspace(H5Dget_space(id()), name()); }

Datatype Dataset::type() const { return Datatype(H5Dget_type(id()), name()); }

PropertyList Dataset::creation_properties() const {
  return PropertyList(H5Dget_create_plist(id()), name());
}

PropertyList Dataset::access_properties() const {
  return PropertyList(H5Dget_access_plist(id()), name());
}

std::vector<std::int64_t> Dataset::extents() const { return space().extents(); }

std::int64_t Dataset::address() const {
  const haddr_t address = H5Dget_offset(id());
  if (address == HADDR_UNDEF) throw Error(name(), "ask where it begins");
  return static_cast<std::int64_t>(address);
}

void Dataset::read(hid_t memory_type, void* values) const {
  check(H5Dread(id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name(), "read");
}

void Dataset::read(hid_t memory_type, const Dataspace& memory, const Dataspace& selection,
                   hid_t transfer, void* values) const {
  check(H5Dread(id(), memory_type, memory.id(), selection.id(), transfer, values), name(), "read");
}

void Dataset::write(hid_t memory_type, const void* values) {
  check(H5Dwrite(id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name(), "write");
}

void Dataset::write(hid_t memory_type, const Dataspace& memory, const Dataspace& selection,
                    hid_t transfer, const void* values) {
  check(H5Dwrite(id(), memory_type, memory.id(), selection.id(), transfer, values), name(),
        "write");
}

bool Attribute::exists(const Handle& owner, const std::string& name) {
  return check(H5Aexists(owner.id(), name.c_str()), name, "look for the attribute") > 0;
}

Attribute Attribute::open(const Handle& owner, const std::string& name) {
  return Attribute(H5Aopen(owner.id(), name.c_str(), H5P_DEFAULT), name, "open the attribute",
                   H5Aclose);
}

Attribute Attribute::create(const Handle& owner, const std::string& name, hid_t file_type,
                            const Dataspace& space) {
  return Attribute(
      H5Acreate2(owner.id(), name.c_str(), file_type, space.id(), H5P_DEFAULT, H5P_DEFAULT), name,
      "create the attribute", H5Aclose);
}

Dataspace Attribute::space() const { return Dataspace(H5Aget_space(id()), name()); }

Datatype Attribute::type() const { return Datatype(H5Aget_type(id()), name()); }

void Attribute::read(hid_t memory_type, void* values, std::int64_t count) const {
  const hssize_t found =
      check(H5Sget_simple_extent_npoints(space().id()), name(), "count its values");
  if (found != count) {
    throw Error(name(), "read the attribute",
                std::to_string(found) + " values instead of " + std::to_string(count));
  }
  check(H5Aread(id(), memory_type, values), name(), "read the attribute");
}

void Attribute::write(hid_t memory_type, const void* values) {
  check(H5Awrite(id(), memory_type, values), name(), "write the attribute");
}

void write_attribute(const Handle& owner, const std::string& name, std::int64_t value) {
  Attribute::create(owner, name, H5T_STD_I64LE, Dataspace::scalar())
      .write(H5T_NATIVE_INT64, &value);
}

void write_attribute(const Handle& owner, const std::string& name, double value) {
  Attribute::create(owner, name, H5T_IEEE_F64LE, Dataspace::scalar())
      .write(H5T_NATIVE_DOUBLE, &value);
}

void write_attribute(const Handle& owner, const std::string& name, const std::string& value) {
  write_attribute(owner, name, value, 0);
}

void write_attribute(const Handle& owner, const std::string& name, const std::string& value,
                     std::size_t room) {
  // HDF5 has no string of length zero.
  std::string text = value;
  text.resize(std::max(value.size(), room) + 1);
  const Datatype type = Datatype::fixed_string(text.size());
  Attribute::create(owner, name, type.id(), Dataspace::scalar()).write(type.id(), text.data());
}

void rewrite_attribute(const Handle& owner, const std::string& name, std::int64_t value) {
  if (has_one_value(owner, name, H5T_INTEGER)) {
    Attribute attribute = Attribute::open(owner, name);
    // HDF5 converts to whatever a file declares, be it bits beyond the integer's bytes.
    if (attribute.type().is(H5T_STD_I64LE)) {
      attribute.write(H5T_NATIVE_INT64, &value);
      return;
    }
  }
  remove_attribute(owner, name);
  write_attribute(owner, name, value);
}

void rewrite_attribute(const Handle& owner, const std::string& name, const std::string& value) {
  if (has_one_value(owner, name, H5T_STRING)) {
    Attribute attribute = Attribute::open(owner, name);
    const Datatype type = attribute.type();
    std::string text = value;
    if (!is_of_variable_length(type) && text.size() < type.size() &&
        type.size() <= longest_string) {
      text.resize(type.size());
      attribute.write(type.id(), text.data());
      return;
    }
  }
  remove_attribute(owner, name);
  write_attribute(owner, name, value);
}

std::int64_t read_integer_attribute(const Handle& owner, const std::string& name) {
  const Attribute attribute = Attribute::open(owner, name);
  if (!attribute.type().is(H5T_STD_I64LE)) {
    throw Error(name, "read the attribute", "it is not an integer of 64 bits");
  }
  std::int64_t value = 0;
  attribute.read(H5T_NATIVE_INT64, &value);
  return value;
}

std::string read_string_attribute(const Handle& owner, const std::string& name) {
  const Attribute attribute = Attribute::open(owner, name);
  require_class(attribute, H5T_STRING, "a string");
  const Datatype type = attribute.type();
  if (is_of_variable_length(type)) {
    char* allocated = nullptr;
    attribute.read(type.id(), &allocated);
    const std::string text = allocated == nullptr ? "" : allocated;
    check(H5free_memory(allocated), name, "free the string");
    return text;
  }
  if (type.size() > longest_string) {
    throw Error(name, "read the attribute",
                "a string of " + std::to_string(type.size()) + " bytes");
  }
  std::string text(type.size(), '\0');
  attribute.read(type.id(), text.data());
  text.resize(std::min(text.find('\0'), text.size()));
  if (check(H5Tget_strpad(type.id()), name, "ask for the padding") == H5T_STR_SPACEPAD) {
    text.resize(text.find_last_not_of(' ') + 1);
  }
  return text;
}

}  // namespace fusedconv::app::hdf5
