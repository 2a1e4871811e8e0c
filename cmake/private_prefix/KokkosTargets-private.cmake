# SPDX-License-Identifier: Apache-2.0

# scripts/setup lays this file beside the KokkosTargets.cmake of a package that it unpacked, which
# reads it. It makes the package usable where it lies, with the runtime libraries it was built
# against: whoever links Kokkos::kokkos from there gets what is needed, and nothing else changes.

# Debian's package names its headers by their place on the system.
get_property(_private_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
list(FILTER _private_targets INCLUDE REGEX "^Kokkos::")
foreach(_private_target IN LISTS _private_targets)
  get_target_property(_private_includes ${_private_target} INTERFACE_INCLUDE_DIRECTORIES)
  if(_private_includes)
    list(TRANSFORM _private_includes REPLACE "^/usr/" "${_IMPORT_PREFIX}/")
    set_target_properties(
      ${_private_target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_private_includes}")
  endif()
endforeach()

# Kokkos's libraries need a newer C and C++ runtime than the system may have. An executable starts
# with the dynamic loader that belongs to that runtime and finds all of it through an old-style
# rpath, which, unlike a runpath, holds for the libraries of its libraries too. The linker itself
# sees the system's runtime, in which it cannot find every symbol that Kokkos uses.
get_filename_component(_private_runtime "${_IMPORT_PREFIX}/../runtime" ABSOLUTE)
file(GLOB_RECURSE _private_libraries "${_IMPORT_PREFIX}/lib/*.so.*"
     "${_private_runtime}/usr/lib/*.so.*")
set(_private_directories)
foreach(_private_library IN LISTS _private_libraries)
  get_filename_component(_private_directory "${_private_library}" DIRECTORY)
  list(APPEND _private_directories "${_private_directory}")
endforeach()
list(REMOVE_DUPLICATES _private_directories)
list(TRANSFORM _private_directories PREPEND "LINKER:-rpath,")

set(_private_loaders ${_private_libraries})
list(FILTER _private_loaders INCLUDE REGEX "/ld(-linux[^/]*|64)\\.so\\.[0-9]+$")
list(GET _private_loaders 0 _private_loader)

set_property(
  TARGET Kokkos::kokkoscore
  APPEND
  PROPERTY INTERFACE_LINK_OPTIONS
           "LINKER:--dynamic-linker,${_private_loader}"
           "LINKER:--disable-new-dtags"
           ${_private_directories}
           "LINKER:--allow-shlib-undefined")
