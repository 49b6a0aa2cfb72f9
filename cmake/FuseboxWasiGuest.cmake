# Functions that compile C for wasm32-wasi and pack images: FuseboxWasi.cmake says what becomes of what.
include_guard()
find_program(FUSEBOX_WASI_CLANG NAMES clang-22 clang-19)
find_path(FUSEBOX_WASI_LIBC wasi/api.h PATHS /usr/include/wasm32-wasi NO_DEFAULT_PATH)
set(fusebox_pack_image "${CMAKE_CURRENT_SOURCE_DIR}/scripts/pack-image.sh")

# fusebox_wasi_guest(NAME SOURCES files... [PAGES first] [PAGES_MAX most] [STACK bytes] [FLAGS ...] [LIBRARIES ...]
#                    [DEPENDS ...] [FILES folder]): compiles and packs. Memory is one page unless said otherwise, as the
# smallest profiles want it; PAGES_MAX 0 = no maximum.
function(fusebox_wasi_guest name)
  cmake_parse_arguments(arg "" "PAGES;PAGES_MAX;STACK;FILES" "SOURCES;FLAGS;LIBRARIES;DEPENDS" ${ARGN})
  if(NOT DEFINED arg_PAGES)
    set(arg_PAGES 1)
  endif()
  if(NOT DEFINED arg_PAGES_MAX)
    set(arg_PAGES_MAX ${arg_PAGES})
  endif()
  if(NOT DEFINED arg_STACK)
    set(arg_STACK 8192)
  endif()
  math(EXPR memory "${arg_PAGES} * 65536")
  math(EXPR memory_max "${arg_PAGES_MAX} * 65536")
  set(max_flag)
  if(memory_max)
    set(max_flag "-Wl,--max-memory=${memory_max}")
  endif()
  set(module "${CMAKE_BINARY_DIR}/guests/${name}.wasi.wasm")
  file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/guest/containers/common/*.h"
    "${CMAKE_CURRENT_SOURCE_DIR}/guest/containers/${name}/*.h")
  # The package of wasi-libc keeps its files under the target's older name, which clang now warns about.
  add_custom_command(OUTPUT "${module}"
    COMMAND "${FUSEBOX_WASI_CLANG}" --target=wasm32-wasi --sysroot=/usr -Wno-deprecated -Os -Wall -Wextra -Wshadow -Wconversion
            -I "${CMAKE_CURRENT_SOURCE_DIR}/guest/containers/common" ${arg_FLAGS}
            -Wl,--strip-all -Wl,--initial-memory=${memory} ${max_flag} -Wl,-z,stack-size=${arg_STACK}
            -o "${module}" ${arg_SOURCES} ${arg_LIBRARIES}
    DEPENDS ${arg_SOURCES} ${headers} ${arg_DEPENDS} COMMENT "guest ${name}.wasi.wasm" VERBATIM COMMAND_EXPAND_LISTS)
  set(image "${CMAKE_BINARY_DIR}/images/${name}.wapp")
  set(files)
  if(arg_FILES AND IS_DIRECTORY "${arg_FILES}")
    file(GLOB_RECURSE files CONFIGURE_DEPENDS "${arg_FILES}/*")
  else()
    set(arg_FILES)
  endif()
  add_custom_command(OUTPUT "${image}"
    COMMAND "${fusebox_pack_image}" "${image}" "${module}" ${arg_FILES}
    DEPENDS "${module}" "${fusebox_pack_image}" ${files} COMMENT "image ${name}.wapp" VERBATIM)
  set_property(GLOBAL APPEND PROPERTY FUSEBOX_IMAGES "${image}")
endfunction()

function(fusebox_container_guest name)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/guest/containers/${name}/*.c")
  fusebox_wasi_guest(${name} SOURCES ${sources} FILES "${CMAKE_CURRENT_SOURCE_DIR}/guest/containers/${name}/files" ${ARGN})
endfunction()

file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/guests" "${CMAKE_BINARY_DIR}/images")
