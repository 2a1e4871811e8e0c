// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_APP_HDF5_HANDLE_HPP
#define FUSEDCONV_APP_HDF5_HANDLE_HPP

#include <hdf5.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

/// HDF5's C API behind handles that close themselves; a call that fails throws Error.
namespace fusedconv::app::hdf5 {

/// Why a call of HDF5 failed.
struct Reason {
  std::string text;           ///< HDF5's innermost message
  bool is_of_system = false;  ///< the system could not read or write: not the file is to blame
};

/// A call of HDF5 failed: what() is "OBJECT: could not ACTION: HDF5'S INNERMOST MESSAGE".
class Error : public std::runtime_error {
 public:
  /// Takes the message from HDF5's error stack.
  Error(const std::string& object, const std::string& action);
  /// Where it is not HDF5 that knows the reason.
  Error(const std::string& object, const std::string& action, const std::string& reason);

  const std::string& object() const noexcept { return object_; }
  /// HDF5's innermost message alone.
  const std::string& reason() const noexcept { return reason_.text; }
  bool is_of_system() const noexcept { return reason_.is_of_system; }

  /// The same with the file's name before the object's.
  Error in_file(const std::string& file) const;

 private:
  Error(const std::string& object, const std::string& action, const Reason& reason);

  std::string object_;
  std::string action_;
  Reason reason_;
};

/// Calls a function; an Error that it throws goes on with the file's name before it.
template <class Function>
decltype(auto) naming_file(const std::string& file, Function&& function) {
  try {
    return function();
  } catch (const Error& error) {
    throw error.in_file(file);
  }
}

/// Keeps HDF5 from printing its error stack: every failure is thrown instead. Opening or creating
/// a File does it too.
void silence_automatic_printing();

/// A call's status or identifier, which is negative where the call failed.
/// \throws Error naming the object and what was being done
template <class Status>
Status check(Status status, const std::string& object, const char* action) {
  if (status < 0) throw Error(object, action);
  return status;
}

/// Owns an identifier and knows the name of its object.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();

  hid_t id() const noexcept { return id_; }
  const std::string& name() const noexcept { return name_; }
  /// Whether it is of a file that several ranks have open together.
  bool is_shared() const noexcept { return is_shared_; }

  /// Closes now, so that a failure (a full disk) can be told; the destructor has nobody to tell.
  void close();

 protected:
  /// \param id     checked
  /// \param action what was being done to get the identifier, for the message
  /// \param shared whether it is of a file that several ranks have open. Closing it may wait for
  ///               all of them: where an exception is under way, which ends them all, it stays open
  Handle(hid_t id, std::string name, const char* action, Close close, bool shared = false);

 private:
  hid_t id_ = H5I_INVALID_HID;
  std::string name_;
  Close close_ = nullptr;
  bool is_shared_ = false;
};

class PropertyList : public Handle {
 public:
  /// \param property_class H5P_FILE_ACCESS, H5P_DATASET_CREATE, H5P_DATASET_XFER, ...
  explicit PropertyList(hid_t property_class);
  /// Adopts an identifier that an HDF5 call returned.
  PropertyList(hid_t id, const std::string& name);
};

class File : public Handle {
 public:
  static File open_read_only(const std::string& path, hid_t access = H5P_DEFAULT);
  static File open_read_write(const std::string& path, hid_t access = H5P_DEFAULT);
  /// An existing file is truncated.
  static File create(const std::string& path, hid_t access = H5P_DEFAULT);
  /// The same by all ranks that an access is for, together, as is whatever else has to do with the
  /// file's structure.
  static File open_together(const std::string& path, hid_t access);
  static File create_together(const std::string& path, hid_t access);

  /// Hands everything written so far to the operating system.
  void flush();

 private:
  using Handle::Handle;
};

class Dataspace : public Handle {
 public:
  static Dataspace scalar();
  static Dataspace simple(const std::vector<std::int64_t>& extents);
  /// Adopts an identifier that an HDF5 call returned.
  Dataspace(hid_t id, const std::string& name);

  H5S_class_t extent_class() const;
  /// Extents of a simple dataspace, none for a scalar; what exceeds 63 bits is given as the largest
  /// std::int64_t.
  std::vector<std::int64_t> extents() const;
  void select_hyperslab(const std::vector<std::int64_t>& start,
                        const std::vector<std::int64_t>& count);
  void select_none();
};

class Datatype : public Handle {
 public:
  /// A zero-terminated UTF-8 string of this many bytes.
  static Datatype fixed_string(std::size_t length);
  /// Adopts an identifier that an HDF5 call returned.
  Datatype(hid_t id, const std::string& name);

  H5T_class_t type_class() const;
  /// Bytes of an element.
  std::size_t size() const;
  /// Whether it is the same as another, such as H5T_STD_I64LE.
  bool is(hid_t other) const;
};

/// Whatever a link leads to.
class Object : public Handle {
 public:
  static Object open(const File& file, const std::string& name, hid_t access = H5P_DEFAULT);

  /// H5I_DATASET, H5I_GROUP or H5I_DATATYPE
  H5I_type_t kind() const;

 private:
  using Handle::Handle;
};

class Dataset : public Handle {
 public:
  static Dataset open(const File& file, const std::string& name, hid_t access = H5P_DEFAULT);
  /// \param file_type how elements are stored (H5T_IEEE_F32LE)
  static Dataset create(const File& file, const std::string& name, hid_t file_type,
                        const Dataspace& space, hid_t creation = H5P_DEFAULT);

  Dataspace space() const;
  Datatype type() const;
  PropertyList creation_properties() const;
  PropertyList access_properties() const;
  std::vector<std::int64_t> extents() const;
  /// Byte of the file at which a contiguous dataset begins.
  std::int64_t address() const;

  /// Reads the whole dataset, converted to the memory type.
  void read(hid_t memory_type, void* values) const;
  void read(hid_t memory_type, const Dataspace& memory, const Dataspace& selection, hid_t transfer,
            void* values) const;
  /// Writes the whole dataset.
  void write(hid_t memory_type, const void* values);
  void write(hid_t memory_type, const Dataspace& memory, const Dataspace& selection, hid_t transfer,
             const void* values);

 private:
  using Handle::Handle;
};

class Attribute : public Handle {
 public:
  /// \param owner a File (its root group) or a Dataset
  static bool exists(const Handle& owner, const std::string& name);
  static Attribute open(const Handle& owner, const std::string& name);
  static Attribute create(const Handle& owner, const std::string& name, hid_t file_type,
                          const Dataspace& space);

  Dataspace space() const;
  Datatype type() const;

  /// Reads its values.
  /// \param count for how many there is room
  /// \throws Error if there are not as many: what a file says of an attribute may be anything
  void read(hid_t memory_type, void* values, std::int64_t count = 1) const;
  void write(hid_t memory_type, const void* values);

 private:
  using Handle::Handle;
};

/// Writes an attribute of one value.
/// \param owner a File (its root group) or a Dataset
void write_attribute(const Handle& owner, const std::string& name, std::int64_t value);
void write_attribute(const Handle& owner, const std::string& name, double value);
void write_attribute(const Handle& owner, const std::string& name, const std::string& value);
/// Writes an attribute of one string with room for `room` bytes, or more where the value is longer.
void write_attribute(const Handle& owner, const std::string& name, const std::string& value,
                     std::size_t room);

/// Writes the value of an attribute in its place: nothing else in the file changes. An attribute
/// that is of another kind or has no room for the value is replaced.
void rewrite_attribute(const Handle& owner, const std::string& name, std::int64_t value);
void rewrite_attribute(const Handle& owner, const std::string& name, const std::string& value);

/// The value of an attribute of one integer of 64 bits, as write_attribute() writes it.
/// \throws Error if it is something else
std::int64_t read_integer_attribute(const Handle& owner, const std::string& name);
/// The value of an attribute of one string, of fixed or of variable length, without padding.
/// \throws Error if it is something else, or of a fixed length beyond 64 KiB
std::string read_string_attribute(const Handle& owner, const std::string& name);

}  // namespace fusedconv::app::hdf5

#endif
