# bench/*.cc: one program that prints one table and one JSON file (make bench).
if(NOT FUSEBOX_BENCH OR FUSEBOX_SANITIZE)
  return()
endif()

# The same computation as the guest's, for this machine: what the guest's speed is a share of.
# Nothing of the release build's hardening, so that the native figure is the compiler's best.
set(compute_source "${CMAKE_CURRENT_SOURCE_DIR}/bench/guests/compute.c")
set(compute_objects)
foreach(level IN ITEMS 2 3)
  add_library(fusebox_compute_o${level} OBJECT "${compute_source}")
  target_compile_definitions(fusebox_compute_o${level} PRIVATE compute=fusebox_compute_o${level} recurse=fusebox_recurse_o${level})
  target_compile_options(fusebox_compute_o${level} PRIVATE -O${level} -fno-stack-protector -Wno-attributes)
  list(APPEND compute_objects $<TARGET_OBJECTS:fusebox_compute_o${level}>)
endforeach()

file(GLOB bench_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/bench/*.cc")
add_executable(fusebox_bench ${bench_sources} ${compute_objects})
target_include_directories(fusebox_bench PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/bench")
target_link_libraries(fusebox_bench PRIVATE fusebox_cli fusebox::wabt fusebox::wasmtime CLI11::CLI11)
target_compile_definitions(fusebox_bench PRIVATE
  FUSEBOX_GUEST_DIR="${CMAKE_BINARY_DIR}/guests" FUSEBOX_IMAGE_DIR="${CMAKE_BINARY_DIR}/images" FUSEBOX_COMMAND="$<TARGET_FILE:fusebox>")
add_dependencies(fusebox_bench fusebox_guests fusebox_images fusebox)
