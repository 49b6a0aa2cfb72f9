# bench/*_bench.cc: one program that prints one table and one JSON file (make bench).
if(NOT FUSEBOX_BENCH OR FUSEBOX_SANITIZE)
  return()
endif()
file(GLOB bench_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/bench/*.cc" "${CMAKE_CURRENT_SOURCE_DIR}/bench/*.c")
if(bench_sources)
  add_executable(fusebox_bench ${bench_sources})
  target_link_libraries(fusebox_bench PRIVATE fusebox_cli fusebox::wabt fusebox::wasmtime)
  target_compile_definitions(fusebox_bench PRIVATE
    FUSEBOX_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}" FUSEBOX_GUEST_DIR="${CMAKE_BINARY_DIR}/guests"
    FUSEBOX_COMMAND="$<TARGET_FILE:fusebox>")
  add_dependencies(fusebox_bench fusebox_guests fusebox)
endif()
