# Guests for containers: C for wasm32-wasi, packed into images.
#
#   guest/containers/<name>/*.c  ->  <build>/guests/<name>.wasi.wasm and <build>/images/<name>.wapp
#   tests/guests/<name>.wasi.c, demos/*/<name>.wasi.c  ->  the same names
# A folder files/ beside the sources (for single files: <name>.files/) is packed into the image as its root.
include(FuseboxWasiGuest)
if(NOT FUSEBOX_WASI_CLANG OR NOT FUSEBOX_WASI_LIBC)
  message(FATAL_ERROR "the guests need clang-22 and wasi-libc; run scripts/setup.sh")
endif()

foreach(name IN ITEMS hello sleeper fib pipe_source pipe_sink spin counter writer opener)
  fusebox_container_guest(${name})
endforeach()
fusebox_container_guest(crash FLAGS -Wl,--allow-undefined)  # one of its kinds of crash is a missing import
fusebox_container_guest(grow PAGES_MAX 0)
fusebox_container_guest(tools PAGES_MAX 0)  # long lines and large folders take what the profile gives
fusebox_container_guest(http STACK 16384 PAGES_MAX 0)  # a connection is 6 KiB, up to a hundred where there is room

# JavaScript: QuickJS, compiled once by scripts/build-quickjs.sh into the user's cache folder; the script prints where.
if(NOT FUSEBOX_QUICKJS_DIR)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env "FUSEBOX_WASI_CLANG=${FUSEBOX_WASI_CLANG}" "${CMAKE_CURRENT_SOURCE_DIR}/scripts/build-quickjs.sh"
    OUTPUT_VARIABLE FUSEBOX_QUICKJS_DIR OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
endif()
fusebox_container_guest(js PAGES 16 PAGES_MAX 0 STACK 524288 FILES "${FUSEBOX_QUICKJS_DIR}/files"
  FLAGS -isystem "${FUSEBOX_QUICKJS_DIR}/include"
  LIBRARIES "${FUSEBOX_QUICKJS_DIR}/libquickjs.a" -lwasi-emulated-process-clocks -lwasi-emulated-signal
  DEPENDS "${FUSEBOX_QUICKJS_DIR}/libquickjs.a")

file(GLOB single_sources CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/tests/guests/*.wasi.c" "${CMAKE_CURRENT_SOURCE_DIR}/demos/*/*.wasi.c")
foreach(source IN LISTS single_sources)
  get_filename_component(folder "${source}" DIRECTORY)
  get_filename_component(name "${source}" NAME)
  string(REPLACE ".wasi.c" "" name "${name}")
  fusebox_wasi_guest(${name} SOURCES "${source}" FILES "${folder}/${name}.files" PAGES 4 STACK 65536)
endforeach()

get_property(fusebox_images GLOBAL PROPERTY FUSEBOX_IMAGES)
add_custom_target(fusebox_images ALL DEPENDS ${fusebox_images})
