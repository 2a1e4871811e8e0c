# SPDX-License-Identifier: Apache-2.0

# scripts/setup lays this file beside the KokkosKernelsTargets.cmake of a package that it unpacked,
# which reads it. The package names BLAS and LAPACK by their development links on the system; the
# libraries themselves were unpacked with it.

get_property(_private_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
list(FILTER _private_targets INCLUDE REGEX "^tribits::")
foreach(_private_target IN LISTS _private_targets)
  get_target_property(_private_location ${_private_target} IMPORTED_LOCATION)
  if(NOT EXISTS "${_private_location}")
    get_filename_component(_private_name "${_private_location}" NAME)
    file(GLOB_RECURSE _private_libraries
         "${_IMPORT_PREFIX}/../runtime/usr/lib/${_private_name}.*")
    list(GET _private_libraries 0 _private_location)
    set_target_properties(${_private_target} PROPERTIES IMPORTED_LOCATION "${_private_location}")
  endif()
endforeach()
