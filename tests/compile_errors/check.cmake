# SPDX-License-Identifier: Apache-2.0

# cmake -DBINARY_DIR=<dir> -DTARGET=<target> -DSOURCE=<file> [-DCONFIG=<configuration>] -P check.cmake
#
# Builds a target that must not compile. Fails unless the build fails and its output has the text
# after "expected:" of each line of the source that has one.

execute_process(
  COMMAND ${CMAKE_COMMAND} --build "${BINARY_DIR}" --target ${TARGET} --config "${CONFIG}"
  RESULT_VARIABLE result
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, but should not.")
endif()

file(STRINGS "${SOURCE}" lines REGEX "// expected: ")
list(LENGTH lines number)
if(number EQUAL 0)
  message(FATAL_ERROR "${SOURCE} says of no line what is expected.")
endif()
foreach(line IN LISTS lines)
  string(REGEX REPLACE ".*// expected: " "" expected "${line}")
  string(FIND "${output}" "fusedconv::Layer: ${expected}" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "The compiler did not say \"fusedconv::Layer: ${expected}\":\n${output}")
  endif()
endforeach()
