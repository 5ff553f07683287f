# Checks one file as tests/must_fail/CMakeLists.txt describes. Takes COMPILER, SOURCE, OPTIONS.
cmake_minimum_required(VERSION 3.25)
include(${OPTIONS})
set(ENV{LC_ALL} C)

macro(verdict text)
  message("${output}")
  message("verdict: ${text}")
  message(FATAL_ERROR "${SOURCE}")
endmacro()

set(output "")
file(STRINGS ${SOURCE} first_line LIMIT_COUNT 1)
if(NOT first_line MATCHES "^// expect: (.+)$")
  verdict("the file does not open with `// expect: <regex>`")
endif()
set(expected "${CMAKE_MATCH_1}")

execute_process(COMMAND ${COMPILER} ${options} ${SOURCE}
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(status EQUAL 0)
  verdict("it compiles, and must not")
endif()
string(REGEX MATCH "[^\n]*error:[^\n]*" error_line "${output}")
if(NOT error_line MATCHES "${expected}")
  verdict("it fails for another reason. Expected: ${expected}\nFirst: ${error_line}")
endif()

execute_process(COMMAND ${COMPILER} ${options} -DFIXED ${SOURCE}
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  verdict("it does not compile when FIXED")
endif()
message("${error_line}")
