# The image embedded in the engine as its last supervisor (contract containers.md 17.2): guest/containers/wsh, compiled and
# packed during the build. A build inside another project that has no compiler for guests embeds nothing; the engine then
# relies on the other images of its list.
include(FuseboxWasiGuest)
set(image)
if(FUSEBOX_WASI_CLANG AND FUSEBOX_WASI_LIBC)
  fusebox_container_guest(wsh)
  set(image "${CMAKE_BINARY_DIR}/images/wsh.wapp")
elseif(PROJECT_IS_TOP_LEVEL)
  message(FATAL_ERROR "the built-in supervisor needs clang-22 and wasi-libc; run scripts/setup.sh")
else()
  message(STATUS "no clang-22 with wasi-libc: no supervisor is built into the engine")
endif()
set(embedded "${CMAKE_BINARY_DIR}/generated/builtin_supervisor.cc")
add_custom_command(OUTPUT "${embedded}"
  COMMAND "${CMAKE_COMMAND}" -D "IMAGE=${image}" -D "OUTPUT=${embedded}" -P "${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_supervisor.cmake"
  DEPENDS ${image} "${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_supervisor.cmake" COMMENT "the built-in supervisor" VERBATIM)
add_custom_target(fusebox_builtin_supervisor DEPENDS "${embedded}")
target_sources(fusebox_container PRIVATE "${embedded}")
