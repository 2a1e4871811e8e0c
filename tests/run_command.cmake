# SPDX-License-Identifier: Apache-2.0

# run_command(<command>...) runs a command that must succeed.
function(run_command)
  execute_process(
    COMMAND ${ARGV}
    RESULT_VARIABLE result
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command} failed (${result}):\n${output}")
  endif()
endfunction()

# refused_command(SAYS <words>... COMMAND <command>...) runs a command that must fail and print all of
# the words, however their lines are broken.
function(refused_command)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SAYS;COMMAND")
  execute_process(
    COMMAND ${arg_COMMAND}
    RESULT_VARIABLE result
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  list(JOIN arg_COMMAND " " command)
  if(result EQUAL 0)
    message(FATAL_ERROR "${command} succeeded, but should not have:\n${output}")
  endif()
  string(REGEX REPLACE "[ \n]+" " " line "${output}")
  foreach(words IN LISTS arg_SAYS)
    string(FIND "${line}" "${words}" found)
    if(found EQUAL -1)
      message(FATAL_ERROR "${command} did not say \"${words}\":\n${output}")
    endif()
  endforeach()
endfunction()
