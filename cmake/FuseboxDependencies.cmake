# Where each dependency comes from. docs/dependencies.md says why each is here.
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(CURL REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
add_library(fusebox::zlib ALIAS ZLIB::ZLIB)

# zstd and yaml-cpp have no CMake package in every distribution.
function(fusebox_plain_library name header library)
  find_path(FUSEBOX_${name}_INCLUDE ${header} REQUIRED)
  find_library(FUSEBOX_${name}_LIBRARY NAMES lib${library}.a ${library} REQUIRED)  # C++ symbols are not looked up at every start
  add_library(fusebox_${name} INTERFACE)
  target_include_directories(fusebox_${name} SYSTEM INTERFACE "${FUSEBOX_${name}_INCLUDE}")
  target_link_libraries(fusebox_${name} INTERFACE "${FUSEBOX_${name}_LIBRARY}")
  add_library(fusebox::${name} ALIAS fusebox_${name})
endfunction()
fusebox_plain_library(zstd zstd.h zstd)
fusebox_plain_library(yaml yaml-cpp/yaml.h yaml-cpp)

# Boost.Asio and Beast: headers only; their code is compiled once, in src/http (boost_*.cc).
find_package(Boost 1.81 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)

# Wasmtime: built once by scripts/build-wasmtime.sh into the user's cache folder; the script prints where.
if(NOT FUSEBOX_WASMTIME_DIR)
  # Below another project nothing is built or downloaded at configure time.
  set(only_print)
  if(NOT PROJECT_IS_TOP_LEVEL)
    set(only_print "${CMAKE_COMMAND}" -E env FUSEBOX_WASMTIME_NO_BUILD=1)
  endif()
  execute_process(
    COMMAND ${only_print} "${CMAKE_CURRENT_SOURCE_DIR}/scripts/build-wasmtime.sh"
    OUTPUT_VARIABLE FUSEBOX_WASMTIME_DIR OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
endif()
set(FUSEBOX_WASMTIME_ARCHIVE "${FUSEBOX_WASMTIME_DIR}/libfusebox_wasmtime.a")
if(NOT EXISTS "${FUSEBOX_WASMTIME_ARCHIVE}")
  message(FATAL_ERROR "no Wasmtime library in '${FUSEBOX_WASMTIME_DIR}'; run scripts/setup.sh")
endif()
add_library(fusebox_wasmtime_archive STATIC IMPORTED)
set_target_properties(fusebox_wasmtime_archive PROPERTIES IMPORTED_LOCATION "${FUSEBOX_WASMTIME_ARCHIVE}")
target_include_directories(fusebox_wasmtime_archive SYSTEM INTERFACE "${FUSEBOX_WASMTIME_DIR}/include")
target_link_libraries(fusebox_wasmtime_archive INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
add_library(fusebox::wasmtime ALIAS fusebox_wasmtime_archive)

# wabt: the text format for the command line and the tests' oracle; never shown unvalidated binary modules.
find_path(FUSEBOX_WABT_INCLUDE wabt/wast-parser.h REQUIRED)
find_library(FUSEBOX_WABT_LIBRARY wabt REQUIRED)
add_library(fusebox_wabt INTERFACE)
target_include_directories(fusebox_wabt SYSTEM INTERFACE "${FUSEBOX_WABT_INCLUDE}")
target_link_libraries(fusebox_wabt INTERFACE "${FUSEBOX_WABT_LIBRARY}")
add_library(fusebox::wabt ALIAS fusebox_wabt)
