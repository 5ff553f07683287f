# Builds and runs the consumer project in the way MODE says: `find_package` after an installation
# into WORK, or `add_subdirectory`. Takes MODE, WORK, SOURCE, BUILD and VERSION (joinery's),
# COMPILER, GENERATOR, CCACHE.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK})

set(options -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER})
if(CCACHE)
  list(APPEND options -DCMAKE_CXX_COMPILER_LAUNCHER=${CCACHE})
endif()
if(MODE STREQUAL "find_package")
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/installed
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  list(APPEND options -DCMAKE_PREFIX_PATH=${WORK}/installed -DVERSION=${VERSION})
else()
  list(APPEND options -DJOINERY_FROM_SOURCE=${SOURCE})
endif()

execute_process(COMMAND ${CMAKE_COMMAND}
  -S ${SOURCE}/tests/consumer/project -B ${WORK}/build ${options}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/build COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WORK}/build/consumer COMMAND_ERROR_IS_FATAL ANY)
