# Guests are compiled from source during the build: guest/examples/*.c, bench/guests/*.c, tests/guests/*.c and demos/*/*.c
# with clang for wasm32, tests' *.wat by the tests themselves. The results lie in <build>/guests/.
find_program(FUSEBOX_GUEST_CLANG NAMES clang-22 clang-19 clang REQUIRED)
file(GLOB guest_sources CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/guest/examples/*.c"
  "${CMAKE_CURRENT_SOURCE_DIR}/bench/guests/*.c"
  "${CMAKE_CURRENT_SOURCE_DIR}/tests/guests/*.c"
  "${CMAKE_CURRENT_SOURCE_DIR}/demos/*/*.guest.c")
list(FILTER guest_sources EXCLUDE REGEX "\\.(edge|wasi)\\.c$")
file(GLOB guest_headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/guest/*.h" "${CMAKE_CURRENT_SOURCE_DIR}/guest/*/*.h")
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/guests")
set(guest_outputs)
foreach(source IN LISTS guest_sources)
  get_filename_component(name "${source}" NAME)
  string(REGEX REPLACE "(\\.guest)?\\.c$" "" name "${name}")
  set(output "${CMAKE_BINARY_DIR}/guests/${name}.wasm")
  add_custom_command(OUTPUT "${output}"
    COMMAND "${FUSEBOX_GUEST_CLANG}" --target=wasm32-unknown-unknown -nostdlib -ffreestanding -O2 -fno-builtin-printf
            -I "${CMAKE_CURRENT_SOURCE_DIR}/guest" -mbulk-memory
            -Wl,--no-entry -Wl,--export-memory -Wl,-z,stack-size=65536
            -o "${output}" "${source}"
    DEPENDS "${source}" ${guest_headers} COMMENT "guest ${name}.wasm" VERBATIM)
  list(APPEND guest_outputs "${output}")
endforeach()

# Modules of the edge runtime, *.edge.c, with the compile line modules for FUSE have (docs/edge.md).
file(GLOB edge_sources CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_SOURCE_DIR}/docs/examples/*/*.edge.c"
  "${CMAKE_CURRENT_SOURCE_DIR}/tests/guests/*.edge.c"
  "${CMAKE_CURRENT_SOURCE_DIR}/demos/*/*.edge.c")
file(GLOB edge_headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/demos/common/*.h")
foreach(source IN LISTS edge_sources)
  get_filename_component(name "${source}" NAME)
  string(REPLACE ".edge.c" "" name "${name}")
  set(output "${CMAKE_BINARY_DIR}/guests/${name}.wasm")
  file(STRINGS "${source}" init REGEX "module_init")
  add_custom_command(OUTPUT "${output}"
    COMMAND "${FUSEBOX_GUEST_CLANG}" --target=wasm32-unknown-unknown -nostdlib -O2 -Wl,--no-entry
            -Wl,--export=module_step $<$<BOOL:${init}>:-Wl,--export=module_init> -Wl,--allow-undefined
            -I "${CMAKE_CURRENT_SOURCE_DIR}/guest" -o "${output}" "${source}"
    DEPENDS "${source}" ${guest_headers} ${edge_headers} COMMENT "guest ${name}.wasm" VERBATIM COMMAND_EXPAND_LISTS)
  list(APPEND guest_outputs "${output}")
endforeach()

add_custom_target(fusebox_guests ALL DEPENDS ${guest_outputs})
